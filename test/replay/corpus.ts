import { createHash } from 'node:crypto';
import { appendFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { WireEvent } from '../../contract/events.ts';
import type { EventView } from '../harness/farm.ts';
import { fold, type Standing } from './fold.ts';

/** A log that was kept, and what it came to when it was. */
export interface Kept {
  /** Version and tale. */
  readonly name: string;
  readonly log: readonly WireEvent[];
  readonly standing: Standing;
}

const folder = join(import.meta.dirname, 'corpus');
const lock = join(import.meta.dirname, '../../tidy/corpus.lock');

/** All logs that were ever kept. One whose events have another shape than today's would be put right here, event by event: an upcaster. */
export function keptLogs(): Kept[] {
  const versions = readdirSync(folder);
  const files = versions.flatMap(version => readdirSync(join(folder, version)).map(file => join(version, file)));
  return files
    .filter(file => file.endsWith('.jsonl'))
    .map(file => {
      const name = file.replace(/[.]jsonl$/, '');
      const text = (end: string) => readFileSync(join(folder, name + end), 'utf8');
      const log = text('.jsonl').trimEnd().split('\n');
      return { name, log: log.map(line => JSON.parse(line) as WireEvent), standing: JSON.parse(text('.json')) as Standing };
    });
}

/** Keeps a log with what it comes to, where the environment says for which version; never over one that is there. */
export function keep(tale: string, log: readonly EventView[]): void {
  const version = process.env['SKEP_REPLAY_VERSION'];
  if (version === undefined) return;
  const kept = log.map(withoutMachine);
  const text = kept.map(event => `${JSON.stringify(event)}\n`).join('');
  for (const place of [tmpdir(), hostname()])
    if (text.includes(place))
      throw new Error(`the log of ${tale} names ${place}: ${text.split('\n').find(line => line.includes(place))}`);
  mkdirSync(join(folder, version), { recursive: true });
  add(`${version}/${tale}.jsonl`, text);
  add(`${version}/${tale}.json`, `${JSON.stringify(fold(kept).standing, null, 2)}\n`);
}

/** Never over a file that is there; from here on it is locked. */
function add(name: string, text: string): void {
  writeFileSync(join(folder, name), text, { flag: 'wx' });
  appendFileSync(lock, `${name} ${createHash('sha256').update(text).digest('hex')}\n`);
}

/** What workers tell of themselves names the machine on which the log is kept. */
function withoutMachine(event: EventView): EventView {
  const { payload } = event;
  return payload['host'] === undefined ? event : { ...event, payload: { ...payload, host: 'a-machine' } };
}
