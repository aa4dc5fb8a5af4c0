import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { Clock } from '../../../kernel/clock.ts';
import { Fault } from '../../../kernel/fault.ts';
import { allPids, processInfo } from '../../../kernel/processes/info.ts';
import { firstChild } from '../local/status.ts';
import type { Launched } from '../started/execute.ts';
import { askCommand } from '../started/ask.ts';
import { answersFd } from '../started/starter.ts';
import { hasOwnKernel } from './engine.ts';
import type { Engine, Teller } from './engine.ts';
import { oomKillsAround } from './kills.ts';

interface Launch {
  readonly engine: Engine;
  readonly teller: Teller;
  readonly args: readonly string[];
  /** Of the container. */
  readonly name: string;
  readonly token: string;
  readonly stdin: string | Uint8Array | undefined;
  readonly clock: Clock;
}

/** An engine's `run`, that ends when the container has ended. Throws Fault `too_large`, or `sandbox_unavailable` where no process is free. */
export function launch({ engine, teller, args, name, token, stdin: follows, clock }: Launch): Launched {
  const child = started(engine, args, teller === 'host' ? ['pipe'] : []);
  const { stdin, stdout, stderr } = child;
  const answers = child.stdio[answersFd];
  answers?.on('error', () => {});
  let found: number | undefined;
  let kills = 0;
  const init = (): number | undefined => (found ??= hasOwnKernel(engine) ? monitorOf(name) : initWith(token));
  return {
    child,
    ...{ input: stdin, follows, hasInput: follows !== undefined, stdout, stderr, init },
    kill: () => void killContainer({ engine, name, child, clock }),
    // A starter that finds no more to read ends by itself, whenever it comes to be.
    breakOff: () => stdin.end(),
    ask() {
      // The first process that the starter makes is the command; of those in a kernel of their own the host sees none.
      // shell: a fixed word; the program `kill` is in no core utilities
      if (hasOwnKernel(engine)) void engine.run(['exec', name, '/bin/sh', '-c', 'kill -TERM 2']).catch(() => {});
      else void askCommand({ command: () => firstChild(init()), token, clock });
    },
    onEnded() {
      // The group goes with the starter, which waits for the end of this stream.
      if (answers) kills = oomKillsAround(init());
      answers?.destroy();
    },
    // A kernel of its own goes with all that it runs. Some let a command kill process 1: who does that is told the same.
    killedForMemory: hasEnded => kills > 0 || (hasOwnKernel(engine) && !hasEnded && child.exitCode === 137),
    release() {
      answers?.destroy();
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    },
  };
}

function started({ argv: [program, ...before], env }: Engine, args: readonly string[], more: readonly 'pipe'[]) {
  try {
    const stdio = ['pipe', 'pipe', 'pipe', ...more] as ['pipe', 'pipe', 'pipe'];
    const child = spawn(program, [...before, ...args], { stdio, cwd: '/', env });
    child.on('error', () => {});
    if (child.pid === undefined)
      throw new Fault('sandbox_unavailable', { message: `${program} could not be started: no process or descriptor is free` });
    return child;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'E2BIG')
      throw new Fault('too_large', { message: 'the arguments of the command are too large', hint: 'pass them on stdin' });
    throw error;
  }
}

const killTriesMax = 20;
const killAgainMs = 250;

interface Condemned {
  readonly engine: Engine;
  readonly name: string;
  readonly child: ChildProcess;
  readonly clock: Clock;
}

/** Until the engine's own process tells that it is over: a call may come while the engine is still about to note that it runs. */
async function killContainer({ engine, name, child, clock }: Condemned): Promise<void> {
  for (let tries = 0; tries < killTriesMax && child.exitCode === null && child.signalCode === null; tries += 1) {
    await engine.run(['kill', '--signal', 'KILL', name]).catch(() => {});
    await clock.sleep(killAgainMs);
  }
}

/** What runs in a kernel of its own is not among the host's processes; the kernel itself is, below the engine's monitor. */
function monitorOf(name: string): number | undefined {
  return allPids().find(pid => {
    const argv = processInfo(pid)?.argv ?? [];
    return argv[0]?.endsWith('conmon') === true && argv.includes(name);
  });
}

/** The process whose arguments hold the token and which is the first of its namespace. */
function initWith(token: string): number | undefined {
  return allPids().find(pid => processInfo(pid)?.argv.includes(token) === true && isFirst(pid));
}

function isFirst(pid: number): boolean {
  try {
    return /^NSpid:\s+\d+\s+(\d+\s+)*1$/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
