import { failpoint } from '../../kernel/failpoint.ts';
import { lastWords, runFailure } from '../failure.ts';
import type { Sandbox } from '../sandbox.ts';
import type { Conflict } from './git/merge.ts';
import { createOutput } from './output.ts';
import type { Run } from './run.ts';
import { closingMsMax } from './run.ts';
import type { Task } from './task.ts';

interface Given {
  readonly sandbox: Sandbox;
  readonly task: Task;
  readonly conflict: Conflict | undefined;
  /** Called when the agent's own process runs. */
  readonly onStart: () => void;
}

/** Resolves when the agent says that it is done; throws a run failure when it ended in any other way. */
export async function runAgent(run: Run, { sandbox, task, conflict, onStart }: Given): Promise<void> {
  const { claimed, tools, lease, reports, signal } = run;
  const outputBytesMax = claimed.limits.output_bytes_max;
  const output = createOutput({ ...tools, lease, bytesMax: outputBytesMax });
  try {
    const outcome = await task.agent.run({
      sandbox,
      settings: task.settings,
      task: task.json(conflict),
      env: task.env(conflict),
      timeoutMs: task.timeoutMs,
      outputBytesMax,
      signal,
      onStart() {
        failpoint('agent-started');
        lease.progress({ state: 'working' });
        reports.add('agent.started', { kind: task.settings.kind, at: new Date(tools.clock.now()).toISOString() });
        onStart();
      },
      onOutput(_stream, chunk) {
        output.write(chunk);
        tools.onOutput?.(chunk);
      },
    });
    signal.throwIfAborted();
    if (outcome.kind === 'aborted') throw runFailure('sandbox', 'The agent was ended from outside');
    reports.add('agent.ended', { duration_ms: Math.round(outcome.durationMs) });
    if (outcome.kind === 'failed') throw runFailure(outcome.class, withWords(outcome.message, output.tail()));
  } finally {
    lease.closeWithin(closingMsMax);
    await output.end();
  }
}

function withWords(message: string, tail: Buffer): string {
  const words = lastWords(tail);
  return words === '' ? `${message}; it printed nothing` : `${message}; it printed at last:\n${words}`;
}
