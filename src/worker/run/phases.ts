import type { Claimed, RunResult } from '../../../contract/runs.ts';
import { failpoint } from '../../kernel/failpoint.ts';
import { lastWords, runFailure } from '../failure.ts';
import type { Lease } from '../lease.ts';
import type { Origin } from '../repository/index.ts';
import type { Sandbox } from '../sandbox.ts';
import { checkOut, mirrorInside } from './checkout.ts';
import { collect } from './collect.ts';
import { openNameless } from './files.ts';
import { gitFiles } from './inside.ts';
import { createOutput } from './output.ts';
import { createReports } from './reports.ts';
import type { Reports } from './reports.ts';
import { taskOf, ticketPath } from './task.ts';
import type { Task } from './task.ts';
import type { RunTools } from './tools.ts';

export interface Started {
  readonly claimed: Claimed;
  readonly tools: RunTools;
  readonly lease: Lease;
  /** Aborted when the lease is lost, the worker is stopped, or the run could not be handed over in time. */
  readonly signal: AbortSignal;
}

interface Run extends Started {
  readonly reports: Reports;
  readonly task: Task;
  /** Names the sandbox; another lease of the same run gets another one. */
  readonly name: string;
}

/** For all that comes after the agent's end: the rest of its output, the collecting, the upload. */
const closingMsMax = 600_000;

/** The life of a run, top to bottom. Throws what ended it; the sandbox is torn down in every case. */
export async function carryOut(started: Started): Promise<RunResult> {
  const { claimed, tools, lease, signal } = started;
  await lease.confirmed();
  const name = `${claimed.run.id}-${claimed.lease.fence}`;
  const run: Run = {
    ...started,
    reports: createReports({ ...tools, lease }),
    task: taskOf(claimed, tools.agents),
    name,
  };
  const phase = (phase: string): void => run.reports.add('phase.started', { phase });
  const bundle = openNameless(tools.folder);
  let sandbox: Sandbox | undefined;
  try {
    phase('prepare_sandbox');
    const origin = await tools.repositories.open(claimed.project.repository, signal);
    sandbox = await prepareSandbox(run, origin);

    phase('check_out');
    const { branch } = run.task;
    await checkOut(sandbox, { origin, branch, signal });

    phase('start_agent');
    await runAgent(run, sandbox, () => phase('stream'));

    phase('collect');
    const bundleBytesMax = claimed.limits.bundle_bytes_max;
    const message = run.task.commitMessage;
    const { head, summary } = await collect({ sandbox, branch, base: origin.base, message, bundle, bundleBytesMax, signal });

    phase('submit');
    const blob = await lease.send((key, call) => tools.protocol.putBundle(key, bundle.descriptor, call));
    const result = { summary, ...(origin.base === undefined ? {} : { base: origin.base }), head, branch, bundle: blob };
    await submit(run, result);
    return result;
  } finally {
    bundle.close();
    await tearDown(run, sandbox);
  }
}

async function prepareSandbox({ claimed, tools, name, task, lease }: Run, origin: Origin): Promise<Sandbox> {
  const { limits } = claimed;
  const sandbox = await tools.sandboxes.create({
    id: name,
    limits: {
      memoryBytes: limits.memory_bytes,
      processCount: limits.process_count,
      cpuCount: limits.cpu_count,
      tmpBytes: limits.tmp_bytes,
    },
    files: [{ path: ticketPath, content: task.json }, ...gitFiles],
    folders: origin.mirror === undefined ? [] : [{ from: origin.mirror, to: mirrorInside }],
  });
  lease.progress({ state: 'starting', sandbox: sandbox.id });
  return sandbox;
}

/** Resolves when the agent says that it is done; throws a run failure when it ended in any other way. */
async function runAgent(run: Run, sandbox: Sandbox, onStart: () => void): Promise<void> {
  const { claimed, tools, lease, reports, task, signal } = run;
  const outputBytesMax = claimed.limits.output_bytes_max;
  const output = createOutput({ ...tools, lease, bytesMax: outputBytesMax });
  try {
    const outcome = await task.agent.run({
      sandbox,
      settings: task.settings,
      task: task.json,
      env: task.env,
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

async function submit({ tools, lease, reports, signal }: Run, result: RunResult): Promise<void> {
  await reports.sent();
  signal.throwIfAborted();
  await lease.sendLast((key, call) => {
    // Whoever stops here believes that the lease is held: the server alone can refuse what comes after.
    failpoint('before-complete');
    return tools.protocol.complete(key, result, call);
  });
}

async function tearDown({ tools }: Run, sandbox: Sandbox | undefined): Promise<void> {
  await sandbox?.destroy().catch((error: unknown) => {
    tools.log.error(
      { sandbox: sandbox.id, error: String(error) },
      'a sandbox could not be removed; the next start of a worker tries again',
    );
  });
}
