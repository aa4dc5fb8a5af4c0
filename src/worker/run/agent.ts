import type { Clock } from '../../kernel/clock.ts';
import { failpoint } from '../../kernel/failpoint.ts';
import type { AgentContext, AgentOutcome } from '../agent.ts';
import { lastWords, runFailure } from '../failure.ts';
import { gatewayUrl } from '../host/job.ts';
import { insidePath, nodeInside } from '../inside.ts';
import type { Sandbox } from '../sandbox.ts';
import { haltWarning } from './ending/halt.ts';
import { watchSandbox } from './ending/watch.ts';
import type { Watch } from './ending/watch.ts';
import type { Conflict } from './git/merge.ts';
import type { Output, OutputStream } from './output.ts';
import type { Run } from './run.ts';
import { closingMsMax } from './run.ts';
import type { Task } from './task.ts';
import type { Ways } from './ways.ts';
import type { Transcript } from './transcript/index.ts';
import { linesOf } from './updates.ts';

interface Given {
  readonly sandbox: Sandbox;
  readonly task: Task;
  readonly conflict: Conflict | undefined;
  readonly ways: Ways;
  /** Files that an earlier run has left of its conversation. */
  readonly kept: readonly string[];
  /** Called when the agent's own process runs. */
  readonly onStart: () => void;
}

/** Resolves with its last words when the agent says that it is done; throws a run failure when it ended in any other way. */
export async function runAgent(run: Run, given: Given): Promise<Buffer> {
  const { lease, reports, signal } = run;
  const { output, transcript } = openBoth(run);
  const halt = haltWarning(run);
  const { sandbox, ways } = given;
  const watch = watchSandbox(run, { sandbox, isCalling: ways.isCalling, onStuck: halt.end });
  try {
    const outcome = await given.task.agent.run(contextOf(run, { ...given, output, transcript, watch, stop: halt.signal }));
    failpoint('agent-ended');
    signal.throwIfAborted();
    if (outcome.kind === 'aborted') throw runFailure('sandbox', 'The agent was ended from outside');
    reports.add('agent.ended', { duration_ms: Math.round(outcome.durationMs), stop_reason: stopReasonOf(outcome) });
    if (outcome.kind === 'failed') throw runFailure(outcome.class, withWords(outcome.message, output.tail()));
    return output.tail();
  } catch (error) {
    // Of what it was stuck in says more than how it was ended.
    if (watch.stuck === undefined || signal.aborted) throw error;
    throw runFailure('unresponsive', withWords(`The agent was ended: ${watch.stuck}`, output.tail()));
  } finally {
    watch.end();
    halt.unlink();
    lease.closeWithin(closingMsMax);
    await Promise.all([output.end(), transcript.end()]);
  }
}

/** Both ways to the server, or none. */
function openBoth(run: Run): { readonly output: Output; readonly transcript: Transcript } {
  const output = run.openOutput();
  try {
    return { output, transcript: run.openTranscript() };
  } catch (error) {
    void output.end();
    throw error;
  }
}

interface Parts extends Given {
  readonly output: Output;
  readonly transcript: Transcript;
  readonly watch: Watch;
  /** Aborted when the agent is to end. */
  readonly stop: AbortSignal;
}

function contextOf(run: Run, { sandbox, task, conflict, ways, kept, onStart, ...parts }: Parts): AgentContext {
  const { output, transcript, watch, stop } = parts;
  const { claimed, tools, lease, reports, secrets } = run;
  const { timeoutMs, settings } = task;
  const outputBytesMax = claimed.limits.output_bytes_max;

  function show(chunk: Buffer, stream?: OutputStream): void {
    watch.heard();
    output.write(chunk, stream);
  }

  function started(): void {
    failpoint('agent-started');
    lease.progress({ state: 'working' });
    reports.add('agent.started', { kind: settings.kind, at: new Date(tools.clock.now()).toISOString() });
    onStart();
    watch.begin();
  }

  return {
    ...{ settings, timeoutMs, outputBytesMax, gatewayUrl, node: nodeInside().program, inside: insidePath },
    task: task.json(conflict),
    prompt: task.prompt(conflict),
    promptAgain: task.promptAgain,
    kept,
    env: { ...task.env(conflict), ...ways.env },
    async start({ argv, env, stdin, onOutput, home, path, outputBytesMax: own = outputBytesMax, farewellMs = 0 }) {
      const command = { argv, env, stdin, timeoutMs, outputBytesMax: own, onOutput, onStart: started };
      const now = later(lease.signal, farewellMs, tools.clock);
      try {
        return await ways.run(sandbox, { ...command, signal: stop, now: now.signal, home, path });
      } finally {
        now.unlink();
      }
    },
    onUpdate(told) {
      const update = secrets.outOf(told);
      transcript.add(update);
      const lines = linesOf(update);
      if (lines !== '') show(Buffer.from(lines));
    },
    onOutput: show,
  };
}

/** Aborted `ms` after `signal`. */
function later(signal: AbortSignal, ms: number, clock: Clock): { readonly signal: AbortSignal; unlink(): void } {
  const over = new AbortController();
  const late = new AbortController();
  const onAbort = (): void => {
    if (ms === 0) late.abort();
    else void clock.sleep(ms, over.signal).then(() => late.abort());
  };
  if (signal.aborted) onAbort();
  signal.addEventListener('abort', onAbort, { once: true });
  return {
    signal: late.signal,
    unlink() {
      signal.removeEventListener('abort', onAbort);
      over.abort();
    },
  };
}

function stopReasonOf(outcome: Exclude<AgentOutcome, { kind: 'aborted' }>): string | null {
  return outcome.stopReason ?? null;
}

/** A message with what the agent has said last: often it says why. */
export function withWords(message: string, tail: Buffer): string {
  const words = lastWords(tail);
  return words === '' ? `${message}; it printed nothing` : `${message}; it printed at last:\n${words}`;
}
