import { isAlias, isMap, isScalar, Lexer, LineCounter, parseDocument, type Document, visit } from 'yaml';
import type { z } from 'zod';
import { templateDocument, type TemplateDocument } from '../../../contract/templates/document.ts';
import { Fault } from '../../kernel/fault.ts';

/** A file as it was handed in. */
export interface Source {
  /** What a refusal calls it. */
  readonly file: string;
  readonly source: string;
}

/** A template as it is written, and where each field of it stands. */
export interface ReadTemplate extends Source, TemplateDocument {
  /** What is wrong with a field, to be thrown. */
  refuse(path: readonly PropertyKey[], what: string): Fault;
}

/** Names, values and brackets of one file; a whole template has a tenth. The parser goes down into what is nested, and takes long. */
const marksMax = 2_000;
const issuesMax = 10;

/** Throws Fault `invalid_template`, with file, line, column and field of each mistake. */
export function readTemplate({ file, source }: Source): ReadTemplate {
  const lines = new LineCounter();
  const at = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${Math.max(1, line)}:${Math.max(1, col)}`;
  };
  refuseMarks(file, source);
  const document = parseDocument(source, { lineCounter: lines, prettyErrors: false, schema: 'core', resolveKnownTags: false });
  const mistakes = [...document.errors, ...document.warnings].map(
    ({ code, message, pos }) => `${at(pos[0])}: ${wordsFor[code] ?? message}`,
  );
  if (mistakes.length === 0) visitAll(document, (offset, what) => mistakes.push(`${at(offset)}: ${what}`));
  if (mistakes.length > 0) throw refusal(mistakes);

  const refuse = (path: readonly PropertyKey[], what: string): Fault => {
    const field = path.length === 0 ? '' : `${path.map(String).join('.')}: `;
    return refusal([`${at(offsetOf(document, path))}: ${field}${what}`]);
  };
  const checked = templateDocument.safeParse(document.toJS());
  if (checked.success) return { ...checked.data, file, source, refuse };
  throw refusal(checked.error.issues.flatMap(issue => saidOf(issue).map(([path, what]) => refuse(path, what).message)));
}

const wordsFor: Readonly<Record<string, string>> = {
  DUPLICATE_KEY: 'this field stands twice: take one away',
  MULTIPLE_DOCS: 'another document begins here: put each template in a file of its own',
  TAG_RESOLVE_FAILED: 'a template has no tags: take away what begins with !',
  TAB_AS_INDENT: 'a tab may not stand at the beginning of a line: use spaces',
};

function refusal(mistakes: readonly string[]): Fault {
  return new Fault('invalid_template', {
    message: mistakes.slice(0, issuesMax).join('\n'),
    hint: 'The fields of a template are in docs/templates.md; skep template schema prints a schema for your editor',
  });
}

/** Counted before it is read: what is nested a thousand times over would hold up the server. */
function refuseMarks(file: string, source: string): void {
  let marks = 0;
  for (const token of new Lexer().lex(source)) if (token.length === 1 && '[{-?:,'.includes(token)) marks++;
  if (marks > marksMax) throw refusal([`${file}:1:1: more than ${marksMax} names and values: this is no template`]);
}

/** An escape may make what could not stand in the file itself, and what the database would refuse or change. */
const unstorable = /[\0\p{Surrogate}]/u;

/** What YAML has and a template has no use for: one text stands for one thing, and a bomb has nothing to grow by. */
function visitAll(document: Document.Parsed, refuse: (offset: number, what: string) => void): void {
  visit(document, {
    Node(_, node) {
      const offset = node.range?.[0] ?? 0;
      if (isAlias(node)) refuse(offset, `a template has no aliases: write out what *${node.source} stands for`);
      else if (isScalar(node) && typeof node.value === 'string' && unstorable.test(node.value))
        refuse(offset, 'a text may have neither a NUL nor half of a surrogate pair in it');
      else if (node.tag !== undefined) refuse(offset, `${wordsFor['TAG_RESOLVE_FAILED']}`);
    },
    Pair(_, { key }) {
      if (!isScalar(key)) refuse((key as { range?: [number] } | null)?.range?.[0] ?? 0, 'the name of a field is a text');
    },
  });
  if (!isMap(document.contents))
    refuse(document.contents?.range[0] ?? 0, 'a template is fields with values, such as: name: careful');
}

function saidOf(issue: z.core.$ZodIssue): [path: PropertyKey[], what: string][] {
  if (issue.code !== 'unrecognized_keys') return [[issue.path, issue.message]];
  return issue.keys.map(key => [[...issue.path, key], `there is no such field; there are ${fieldsAt(issue.path).join(', ')}`]);
}

function fieldsAt(path: readonly PropertyKey[]): readonly string[] {
  const { agent, limits } = templateDocument.shape;
  const [first] = path;
  if (first === 'agent') return Object.keys(agent.unwrap().shape);
  if (first === 'limits') return Object.keys(limits.unwrap().shape);
  return Object.keys(templateDocument.shape);
}

/** Of a field, where it has a name that of the name; else of what should have it. */
function offsetOf(document: Document.Parsed, path: readonly PropertyKey[]): number {
  for (let length = path.length; length > 0; length--) {
    const parent = length === 1 ? document.contents : document.getIn(path.slice(0, length - 1), true);
    const last = path[length - 1];
    const pair = isMap(parent) ? parent.items.find(({ key }) => isScalar(key) && key.value === last) : undefined;
    const node = pair === undefined ? document.getIn(path.slice(0, length), true) : pair.key;
    const range = (node as { range?: [number, number, number] } | undefined)?.range;
    if (range !== undefined) return range[0];
  }
  return 0;
}
