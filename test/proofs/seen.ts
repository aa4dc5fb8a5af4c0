import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { codingAgents } from '../../contract/projects.ts';
import { packages } from '../../src/providers/agents/install/packages.ts';

export type Kind = (typeof codingAgents)[number];

/** All, or those that are named (`pi,codex`), for who looks into one of them. */
export const kinds: readonly Kind[] = codingAgents.filter(kind =>
  (process.env['SKEP_PROVE_AGENTS'] ?? codingAgents.join()).split(',').includes(kind),
);

/** What a proof sees an agent do, as docs/agents.md shows it: the name of a row, and its words there. */
export const rows = {
  version: 'version',
  node: 'Node',
  reports: 'reports by',
  tries: '`skep agent try`: from the ticket to merged work',
  others: 'asked beside the gateway, in all of this',
  tokens: 'counts the tokens of',
  told: 'tells in its transcript',
  short: 'asks a person, who answers at once',
  long: 'asks a person, who answers later',
  feedback: 'is told what a review found wrong',
  gaveUp: 'gives up without a word',
  blocked: 'says that it cannot go on',
  killed: 'is killed',
  drained: 'its worker is stopped',
  workerKilled: 'its worker is killed',
  cancelledTool: 'its run is cancelled in a tool',
  cancelledCall: 'its run is cancelled while the model thinks',
  mcpGone: 'its tools are gone at its start',
  mcpBroken: 'its tools break off in the middle of a report',
} as const;
export type Row = keyof typeof rows;

/** What a provider of models can do to a run, likewise. */
export const errors = {
  e400: '400',
  e401: '401',
  e403: '403',
  e404: '404',
  e408: '408',
  e413: '413',
  e429: '429, with a time to wait',
  e500: '500',
  e502: '502',
  e503: '503',
  e529: '529',
  reset: 'the connection breaks',
  hang: 'no answer until the time of the run is over',
  error: 'an error in the middle of an answer',
  badJson: 'half a JSON document',
  badStream: 'a stream that is none of the wire',
  cut: 'the answer breaks off',
  length: 'the answer reaches its limit',
  refusal: 'the model refuses',
} as const;
export type ErrorName = keyof typeof errors;

export type Seen = Readonly<Record<Row | ErrorName, string>>;
type Parts = Readonly<Partial<Record<Kind, Partial<Seen>>>>;

const file = join(import.meta.dirname, 'agents.json');
const names = [...Object.keys(rows), ...Object.keys(errors)] as (keyof Seen)[];

/** As the last proofs wrote it. */
export function seenAgents(): Parts {
  return JSON.parse(readFileSync(file, 'utf8')) as Parts;
}

/** Writes it at once, beside what was written before; what was seen of another version is worth nothing any more. */
export function note(seen: Kind, part: Partial<Seen>): void {
  const before = seenAgents();
  const all = codingAgents.flatMap(kind => {
    const { version } = packages[kind];
    const known = before[kind]?.version === version ? before[kind] : {};
    const row = { ...known, ...(kind === seen ? part : {}), version };
    const isSeen = before[kind] !== undefined || kind === seen;
    return isSeen ? [[kind, Object.fromEntries(names.map(name => [name, row[name]]))] as const] : [];
  });
  writeFileSync(file, `${JSON.stringify(Object.fromEntries(all), undefined, 2)}\n`);
}
