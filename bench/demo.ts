import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type Bench, figure, type Stage } from './harness/bench.ts';

const root = join(import.meta.dirname, '..');
const rounds = 3;

export const demo: Bench = {
  name: 'demo',
  about: '`npm run demo -- --yes` by its parts: cold in a fresh clone (packages, build and agent from the registry), then warm.',
  async run(stage) {
    const clone = mkdtempSync(join(tmpdir(), 'skep-bench-clone-'));
    stage.atEnd(async () => rmSync(clone, { recursive: true, force: true, maxRetries: 5 }));
    execFileSync('git', ['clone', '--quiet', root, clone]);
    const cold = await perform(clone, stage);
    const warm: Parts[] = [];
    for (let round = 0; round < rounds; round++) warm.push(await perform(clone, stage));
    const of = (part: keyof Parts) => warm.map(each => each[part] / 1_000);
    return [
      figure('cold, in all', 's', { values: [cold.wallMs / 1_000], goal: { is: 'at most', value: 180 } }),
      figure('cold, to the first word of the server', 's', { values: [cold.startMs / 1_000] }),
      figure('warm, in all', 's', { values: of('wallMs'), goal: { is: 'at most', value: 60 } }),
      figure('warm, to the first word of the server', 's', { values: of('startMs') }),
      figure('warm, planning', 's', { values: of('planningMs') }),
      figure('warm, nine tickets to merged and pushed', 's', { values: of('buildMs') }),
    ];
  },
};

interface Parts {
  readonly wallMs: number;
  readonly startMs: number;
  readonly planningMs: number;
  readonly buildMs: number;
}

interface Line {
  readonly event?: string;
  readonly state?: string;
  readonly elapsed_ms?: number;
  readonly repository?: string;
  readonly remove?: string;
}

async function perform(clone: string, stage: Stage): Promise<Parts> {
  const from = performance.now();
  const child = spawn('npm', ['run', '--silent', 'demo', '--', '--yes', '--json'], {
    cwd: clone,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  stage.atEnd(async () => void child.kill('SIGINT'));
  const ended = new Promise<number | null>(resolve => void child.once('exit', resolve));
  const heard: { readonly line: Line; readonly at: number }[] = [];
  for await (const text of createInterface({ input: child.stdout })) {
    heard.push({ line: JSON.parse(text) as Line, at: performance.now() - from });
  }
  const code = await ended;
  const left = heard.find(({ line }) => line.event === 'left')?.line.repository;
  if (left !== undefined) rmSync(join(left, '..'), { recursive: true, force: true });
  const summary = heard.find(({ line }) => line.event === 'summary')?.line;
  const planning = heard.filter(({ line }) => line.event === 'planning').map(({ at }) => at);
  if (code !== 0 || summary?.state !== 'completed') throw new Error(`the demo ended with ${code} and ${summary?.state}`);
  const startMs = planning[0] ?? Number.NaN;
  const parts = {
    wallMs: performance.now() - from,
    startMs,
    planningMs: (planning.at(-1) ?? Number.NaN) - startMs,
    buildMs: summary.elapsed_ms ?? Number.NaN,
  };
  stage.say(`${Math.round(parts.wallMs / 1_000)} s, of these ${Math.round(parts.buildMs / 1_000)} s for the tickets`);
  return parts;
}
