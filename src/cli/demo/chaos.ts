import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { runList } from '../../../contract/runs.ts';
import type { WireRun } from '../../../contract/runs.ts';
import { createClient } from '../../client/index.ts';
import { environmentWith } from '../../config.ts';
import type { Environment } from '../../config.ts';
import { Fault } from '../../kernel/fault.ts';
import type { Drive } from '../build/drive.ts';
import type { Build } from '../build/follow/watch.ts';
import { count } from '../build/view/words.ts';
import { recordedLabel } from '../build/recorded.ts';
import { shortId } from '../input/id.ts';
import { styled } from '../output/text.ts';
import { readNote } from '../server/note.ts';
import type { Companion } from '../server/launch.ts';
import type { Context } from '../world.ts';
import type { Demo } from './options.ts';

export interface Chaos {
  readonly prepareWorker: NonNullable<Drive['prepareWorker']>;
  /** Says what was killed, and what became of the runs that were lost with it. */
  readonly tellLosses: NonNullable<Drive['atEnd']>;
}

/** When so many runs of agents were claimed, and one of them works, the worker that holds them is killed. */
const killAtClaim = 3;

/** Long enough for an agent to have done something, short enough to find it at work. */
const intoTheWorkMs = 400;

/** The worker of a demo as a process of its own, so that it can be killed like one: with SIGKILL, in the middle of its work. */
export function openChaos(demo: Demo, settings: Environment): Chaos {
  const killed: number[] = [];

  const prepareWorker: Chaos['prepareWorker'] =
    tell =>
    async () =>
    async ({ url, mintToken }) => {
      const ending = new AbortController();
      const tokenFile = join(demo.places.home, 'worker-token');
      writeFileSync(tokenFile, `${await mintToken()}\n`, { mode: 0o600 });
      let child: ChildProcess;

      const start = async (): Promise<void> => {
        child = spawnWorker(demo, { settings, url, tokenFile });
        await watch(child, {
          isOver: () => ending.signal.aborted || killed.length > 0,
          async onMiddle(): Promise<void> {
            await untilAnyWorks(demo, ending.signal);
            await demo.world.clock.sleep(intoTheWorkMs, ending.signal);
            if (ending.signal.aborted || child.pid === undefined || child.exitCode !== null) return;
            killed.push(child.pid);
            const ended = once(child, 'close');
            child.kill('SIGKILL');
            await ended;
            tell(
              `Chaos: the worker (process ${killed[0]}) was killed with SIGKILL in the middle of its work; another one is started`,
            );
            await start();
          },
        });
      };
      await start();
      return {
        description: 'a worker of its own, which is going to be killed',
        ended: new Promise(() => {}),
        stop: graceMs => stopWorker(child, { ending, graceMs, clock: demo.world.clock }),
      } satisfies Companion;
    };

  return { prepareWorker, tellLosses: (context, build) => tellLosses(context, { build, killed }) };
}

const lookMs = 100;
const lookMsMax = 10_000;

/** Until the agent of a ticket is at work: before, there is nothing in the middle of which one could be. */
async function untilAnyWorks({ places, world: { clock } }: Demo, signal: AbortSignal): Promise<void> {
  const note = readNote(places.home);
  if (note === undefined) return;
  const client = createClient({ server: note.url, token: note.token, clock });
  const query = { state: 'working', limit: 100 };
  for (const until = clock.mono() + lookMsMax; clock.mono() < until && !signal.aborted; await clock.sleep(lookMs, signal)) {
    const { runs } = await client.request('GET', '/api/runs', { query, schema: runList });
    if (runs.some(({ subject_type: type }) => type === 'ticket')) return;
  }
}

interface Given {
  readonly settings: Environment;
  readonly url: string;
  readonly tokenFile: string;
}

function spawnWorker({ clone, places }: Demo, { settings, url, tokenFile }: Given): ChildProcess {
  const words = ['worker', '--json', '--server', url, '--token-file', tokenFile, '--home', places.home];
  const env = environmentWith(settings);
  return spawn(process.execPath, [clone.program, ...words], { cwd: places.folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
}

interface Watch {
  readonly isOver: () => boolean;
  readonly onMiddle: () => Promise<void>;
}

/** Resolves when the worker has begun; throws what it says where it cannot. */
async function watch(child: ChildProcess, { isOver, onMiddle }: Watch): Promise<void> {
  let claims = 0;
  let words = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    words = (words + chunk.toString()).slice(-wordsMax);
  });
  const lines = createInterface({ input: child.stdout ?? process.stdin });
  await new Promise<void>((resolve, reject) => {
    child.once('close', () => reject(new Fault('failed', { message: `The worker of the demo has ended: ${words.trim()}` })));
    lines.on('line', line => {
      const { event, subject } = JSON.parse(line) as { event: string; subject?: { type: string } };
      if (event === 'started') resolve();
      if (event === 'claimed' && subject?.type === 'ticket') claims += 1;
      if (claims !== killAtClaim || isOver()) return;
      claims += 1;
      void onMiddle();
    });
  });
}

const wordsMax = 2_000;

interface Stop {
  readonly ending: AbortController;
  readonly graceMs: number;
  readonly clock: Demo['world']['clock'];
}

/** A worker that was asked to end hands back what it has; one that does not is killed. */
const handBackMs = 20_000;

async function stopWorker(child: ChildProcess, { ending, graceMs, clock }: Stop): Promise<void> {
  ending.abort();
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'close');
  const hasEnded = new AbortController();
  void ended.then(() => hasEnded.abort());
  // The first one asks to let what runs end, the second to hand it back.
  child.kill('SIGTERM');
  if (graceMs === 0) child.kill('SIGINT');
  await clock.sleep(Math.min(graceMs, handBackMs) + handBackMs, hasEnded.signal);
  if (!hasEnded.signal.aborted) child.kill('SIGKILL');
  await ended;
}

async function tellLosses(context: Context, { build, killed }: { build: Build; killed: readonly number[] }): Promise<void> {
  const tickets = new Set(build.board.rows().map(({ id }) => id));
  const { runs } = await context.client.request('GET', '/api/runs', { query: { limit: 500 }, schema: runList });
  const lost = runs.filter(({ state, ticket_id: id }) => state === 'lost' && id !== null && tickets.has(id));
  const told = lost.map(run => ({ run, next: takenUpBy(run, runs), title: build.board.row(run.ticket_id ?? '')?.title ?? '' }));
  if (context.json) {
    const losses = told.map(({ run, next }) => ({ ticket_id: run.ticket_id, run_id: run.id, taken_up_by: next?.id ?? null }));
    context.out.write(`${JSON.stringify({ event: 'chaos', label: recordedLabel, killed_processes: killed, losses })}\n`);
    return;
  }
  const lines = told.map(
    ({ run, next, title }) =>
      `  ${run.ticket_id}  ${title}: ${run.subject_type} run ${shortId(run.id)} was lost, ${becameText(next)}`,
  );
  const head =
    killed.length === 0
      ? 'The demo was over before the worker could be killed in the middle of its work.'
      : `The worker (process ${killed[0]}) was killed with SIGKILL: ${count(lost.length, 'run was', 'runs were')} lost.`;
  context.out.write(`\n${styled(context.out, 'bold', 'Chaos')}\n  ${head}\n${lines.map(line => `${line}\n`).join('')}`);
}

/** The next attempt at the same. */
function takenUpBy(run: WireRun, runs: readonly WireRun[]): WireRun | undefined {
  return runs
    .filter(
      ({ subject_type, subject_id, created_at }) =>
        subject_type === run.subject_type && subject_id === run.subject_id && created_at >= run.created_at,
    )
    .filter(({ id }) => id !== run.id)
    .sort((a, b) => a.created_at.localeCompare(b.created_at))[0];
}

function becameText(next: WireRun | undefined): string {
  return next === undefined
    ? 'and nothing has taken it up'
    : `and taken up again as run ${shortId(next.id)}, attempt ${next.attempt}: ${next.state}`;
}
