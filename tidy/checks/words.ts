import ts from 'typescript';
import { findLines } from './finding.ts';
import type { Finding, Source } from './finding.ts';
import { finding, nodes, parse } from './syntax.ts';
import type { Parsed } from './syntax.ts';

interface Ban {
  readonly instead: string;
  /** Files in which the word is right. */
  readonly except: RegExp;
}

const TOOLS = 'bin|bench|tidy';
const CLOCK = '^src/kernel/clock[.]ts$';
const timer: Ban = {
  instead: 'wait for a signal, or clock.sleep of src/kernel/clock.ts',
  // A browser has no Clock and nobody to hand it one.
  except: new RegExp(`${CLOCK}|^(${TOOLS}|test/fixtures|dashboard)/`),
};
const time: Ban = {
  instead: 'now() or mono() of a Clock given as an argument (src/kernel/clock.ts)',
  except: new RegExp(`${CLOCK}|^(${TOOLS}|test)/|[.]test[.]ts$`),
};

/** Expressions by their dotted text. `new Date(value)` is a conversion and allowed; without a value it reads the clock. */
const EXPRESSIONS: Readonly<Record<string, Ban>> = {
  'process.env': {
    instead: 'a value handed on from src/config.ts, the only reader of the environment',
    // Programs inside a sandbox are given what they know by its environment.
    except: new RegExp(`^src/(config[.]ts$|inside/)|^(${TOOLS}|test)/|[.]test[.]ts$|[.]config[.]ts$`),
  },
  'Date.now': time,
  'performance.now': time,
  'process.hrtime': time,
  'new Date()': time,
  setTimeout: timer,
  setInterval: timer,
  'Math.random': {
    instead: 'randomSecret of src/kernel/secret.ts, or chance given as an argument',
    except: new RegExp(`^(${TOOLS})/`),
  },
  console: { instead: 'a Log given as an argument, or the printer of the CLI', except: new RegExp(`^(${TOOLS}|test/fixtures)/`) },
};

const MODULES: Readonly<Record<string, Ban>> = {
  'node:timers': timer,
  'node:timers/promises': timer,
  'node:process': { instead: 'the global process, whose env only src/config.ts reads', except: /^$/ },
};

/** Code that reads the clock, the environment, chance or the terminal where it should be handed what they say. */
export function checkWords(sources: readonly Source[]): Finding[] {
  return sources.flatMap(source => {
    const parsed = parse(source);
    return [...nodes(parsed.tree)].flatMap(node => judge(parsed, node));
  });
}

function judge(parsed: Parsed, node: ts.Node): Finding[] {
  const word =
    ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier) ? node.moduleSpecifier.text : spoken(node);
  const ban = ts.isImportDeclaration(node) ? MODULES[word] : EXPRESSIONS[word];
  if (ban === undefined || ban.except.test(parsed.source.path)) return [];
  return [finding(parsed, node, `${word}: use ${ban.instead}`)];
}

function spoken(node: ts.Node): string {
  if (ts.isPropertyAccessExpression(node)) return `${node.expression.getText()}.${node.name.text}`;
  if (ts.isNewExpression(node))
    return node.expression.getText() === 'Date' && (node.arguments?.length ?? 0) === 0 ? 'new Date()' : '';
  return ts.isIdentifier(node) && isUse(node) ? node.text : '';
}

/** Whether the name stands for the global, not for a field, a declaration or an import of the same name. */
function isUse({ parent, ...node }: ts.Identifier): boolean {
  if (ts.isPropertyAccessExpression(parent)) return parent.expression.pos === node.pos;
  return ts.isCallExpression(parent) || ts.isElementAccessExpression(parent) || ts.isVariableDeclaration(parent)
    ? !isNameOf(parent, node.pos)
    : false;
}

function isNameOf(parent: ts.Node, pos: number): boolean {
  return ts.isVariableDeclaration(parent) && parent.name.pos === pos;
}

// One letter stands in brackets, so that this file does not hold the words itself.
const UNFINISHED = /\b(FIXM[E]|TOD[O]|XX[X])\b/;
const SILENCED = /@ts-(ignore|nocheck)|(eslint|oxlint|biome)-(disable|ignore)(?!.* -- \S)/;
const SKIPPED = /\b(it|test|describe|suite)[.](skip|todo)\b/;

/** Marks of work that was put off: in the text, comments included. */
export function checkMarks(sources: readonly Source[]): Finding[] {
  return sources.flatMap(source => [
    ...findLines(source, UNFINISHED, 'finish it, or open an issue and say in a comment what holds meanwhile'),
    ...findLines(source, SILENCED, 'mend the cause, or give the reason after ` -- `'),
    ...findLines(
      source,
      /\b(it|test|describe|suite)[.]only\b/,
      'run one test with `bin/dev test PATTERN`; here it hides all others',
    ),
    ...checkSkips(source),
  ]);
}

function checkSkips(source: Source): Finding[] {
  const lines = source.text.split('\n');
  return findLines(source, SKIPPED, 'say why on the line above: `// skipped: why`').filter(
    ({ line }) => !/\/\/ skipped: \S/.test(lines[line - 2] ?? ''),
  );
}
