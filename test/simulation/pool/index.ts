import { availableParallelism } from 'node:os';
import { mkdir, rm } from 'node:fs/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { build } from 'esbuild';
import type { RuleName } from '../oracle/rules.ts';
import { togetherStruck } from './struck.ts';
import type { Done, Task } from './tasks.ts';

/** Threads that simulate, on all cores. */
export interface Pool {
  run(wanted: Wanted): Promise<Done>;
  close(): Promise<void>;
}

export interface Wanted extends Omit<Task, 'seeds'> {
  readonly first: number;
  readonly count: number;
  /** Nothing new is begun after it; milliseconds since the epoch of performance.now(). */
  readonly until?: number;
}

/** Of a world nothing lives long: a nursery that holds a whole one is emptied at the cost of next to nothing. */
const resourceLimits = { maxYoungGenerationSizeMb: 192 };

/** So many seeds are given to a thread at once. */
const chunkMax = 25;

/** Bundled once, since a thread that compiles its imports by itself takes seconds to begin and is slower from then on. */
export async function openPool(): Promise<Pool> {
  const url = await bundle();
  const threads = Array.from({ length: Math.min(availableParallelism(), 8) }, () => new Worker(url, { resourceLimits }));
  return {
    async run({ first, count, until = Infinity, ...rest }) {
      let next = first;
      const parts: Done[] = [];
      const take = (): number[] => {
        const found = rest.isFirstEnough === true && parts.some(({ violations }) => violations.length > 0);
        if (found || performance.now() > until) return [];
        const seeds = Array.from({ length: Math.min(chunkMax, first + count - next) }, (_, i) => next + i);
        next += seeds.length;
        return seeds;
      };
      const serve = async (thread: Worker): Promise<void> => {
        for (let seeds = take(); seeds.length > 0; seeds = take()) parts.push(await ask(thread, { ...rest, seeds }));
      };
      await Promise.all(threads.map(serve));
      return together(parts);
    },
    async close() {
      await Promise.all(threads.map(thread => thread.terminate()));
      await rm(url, { force: true });
    },
  };
}

function ask(thread: Worker, task: Task): Promise<Done> {
  return new Promise((resolve, reject) => {
    const settle = (end: () => void): void => {
      thread.off('message', hear);
      thread.off('error', fail);
      end();
    };
    const hear = ({ done, error }: { done?: Done; error?: string }): void =>
      settle(() => (done === undefined ? reject(new Error(error)) : resolve(done)));
    const fail = (error: Error): void => settle(() => reject(error));
    thread.on('message', hear);
    thread.on('error', fail);
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin; windows have
    thread.postMessage(task);
  });
}

function together(parts: readonly Done[]): Done {
  const sum = (of: 'seeds' | 'events' | 'claims' | 'landed' | 'rejected'): number =>
    parts.reduce((total, part) => total + part[of], 0);
  return {
    ...{ seeds: sum('seeds'), events: sum('events'), claims: sum('claims'), landed: sum('landed'), rejected: sum('rejected') },
    violations: parts.flatMap(({ violations }) => violations).toSorted((a, b) => a.seed - b.seed),
    astray: togetherAstray(parts),
    struck: togetherStruck(parts.map(({ struck }) => struck)),
    unlike: parts.flatMap(({ unlike }) => unlike),
  };
}

function togetherAstray(parts: readonly Done[]): Done['astray'] {
  const sum: Partial<Record<RuleName, number>> = {};
  for (const { astray } of parts)
    for (const [rule, count] of Object.entries(astray) as [RuleName, number][]) sum[rule] = (sum[rule] ?? 0) + count;
  return sum;
}

async function bundle(): Promise<URL> {
  const folder = fileURLToPath(new URL('../../../.cache/simulation/', import.meta.url));
  await mkdir(folder, { recursive: true });
  const outfile = `${folder}thread-${process.pid}.mjs`;
  await build({
    entryPoints: [fileURLToPath(new URL('thread.ts', import.meta.url))],
    outfile,
    ...{ bundle: true, platform: 'node', format: 'esm', target: 'node20', packages: 'external', logLevel: 'error' },
    // The schema is read from beside the file that reads it.
    define: { 'import.meta.url': JSON.stringify(new URL('../postgres/storage/catalog/source.ts', import.meta.url).href) },
  });
  return pathToFileURL(outfile);
}
