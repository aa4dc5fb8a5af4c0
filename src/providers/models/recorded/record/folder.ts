import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Upstream, UpstreamCall } from '../../../../gateway/upstream.ts';
import type { Log } from '../../../../kernel/log.ts';
import type { Match, RecordingFile, Step } from '../format.ts';
import { exchangeOf, type RecordedExchange } from './exchange.ts';
import { documentWithoutSecrets, withoutSecrets } from './secrets.ts';

/** Where recordings are made: one file per run. */
export interface RecordingFolder {
  /** Takes what a provider has answered to a call, and leaves what did not come to its end. Never throws: a recording that fails must not fail the call. */
  take(upstream: Pick<Upstream, 'name' | 'pricedAs'>, call: UpstreamCall, answer: string): void;
  /** Resolves when all that was taken is written. */
  settled(): Promise<void>;
}

interface Options {
  readonly folder: string;
  /** Values that must not be in a recording, whatever they look like. */
  readonly secrets: readonly string[];
  readonly log: Log;
}

interface Recorded {
  readonly name: string;
  readonly match: Match;
  /** By the position of their first step in the turn. */
  readonly exchanges: Map<number, readonly Step[]>;
  /** Objects by what was asked for them. */
  readonly objects: Map<string, Step>;
}

const runCountMax = 10_000;

/**
 * Writes a file per run, whole and at once, each time that it grows; a later run for the same scene replaces it. All files
 * are priced as the first model that answered, since a demo shows its costs at the prices of one.
 */
export function createRecordingFolder({ folder, secrets, log }: Options): RecordingFolder {
  const runs = new Map<string, Recorded>();
  let pricedAs: string | undefined;
  let writing = Promise.resolve();

  function take(upstream: Pick<Upstream, 'name' | 'pricedAs'>, call: UpstreamCall, answer: string): void {
    const exchange = exchangeOf(call, answer);
    if (exchange === undefined) return;
    pricedAs ??= upstream.pricedAs ?? `${upstream.name}/${call.model}`;
    const recorded = runs.get(call.run.runId) ?? begun(call.run, secrets);
    if (runs.size < runCountMax) runs.set(call.run.runId, recorded);
    add(recorded, exchange);
    const file = documentWithoutSecrets(fileOf(recorded, pricedAs), secrets);
    const text = `${JSON.stringify(file, undefined, 2)}\n`;
    writing = writing
      .then(() => replace(folder, recorded.name, text))
      .catch((error: unknown) => log.error({ err: error, folder }, 'a recording could not be written'));
  }

  return {
    take(upstream, call, answer) {
      try {
        take(upstream, call, answer);
      } catch (error) {
        log.error({ err: error, runId: call.run.runId }, 'an answer could not be recorded');
      }
    },
    settled: () => writing,
  };
}

function begun({ subjectType, title, phase, round }: UpstreamCall['run'], secrets: readonly string[]): Recorded {
  const named = phase === null ? { title } : { phase };
  const slug = withoutSecrets(phase ?? title, secrets)
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 60);
  return {
    name: `${[subjectType.replaceAll('_', '-'), slug, `round-${round}`].filter(part => part !== '').join('-')}.json`,
    match: { subject: subjectType, ...named, round },
    exchanges: new Map(),
    objects: new Map(),
  };
}

/** A request that was sent again replaces what it was answered with before, and what came after that. */
function add({ exchanges, objects }: Recorded, { position, steps, asked }: RecordedExchange): void {
  for (const key of exchanges.keys()) if (key >= position) exchanges.delete(key);
  const [first] = steps;
  if (first?.object === undefined) exchanges.set(position, steps);
  else objects.set(asked, first);
}

function fileOf({ match, exchanges, objects }: Recorded, pricedAs: string): RecordingFile {
  const steps = [...exchanges].sort(([a], [b]) => a - b).flatMap(([, some]) => some);
  return {
    format: 1,
    name: 'made with skep record',
    priced_as: pricedAs,
    scenes: [{ match, steps: [...steps, ...toldApart(objects)] }],
  };
}

/** Of several objects each expects a line of what was asked for it, and for no other. */
function toldApart(objects: ReadonlyMap<string, Step>): Step[] {
  if (objects.size < 2) return [...objects.values()];
  return [...objects].map(([asked, step]) => {
    const others = [...objects.keys()].filter(other => other !== asked);
    const line = asked.split('\n').find(line => line.trim() !== '' && others.every(other => !other.includes(line)));
    return line === undefined ? step : { expect: line.slice(0, 1_000), ...step };
  });
}

/** Whole or not at all: who reads the folder meanwhile sees the old file or the new one. */
async function replace(folder: string, name: string, text: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const unfinished = join(folder, `.${name}.${process.pid}`);
  await writeFile(unfinished, text, { mode: 0o600 });
  await rename(unfinished, join(folder, name));
}
