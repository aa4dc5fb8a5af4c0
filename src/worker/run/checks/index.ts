import type { Check } from '../../../../contract/projects.ts';
import type { CheckEvidence } from '../../../../contract/reviews.ts';
import { runFailure } from '../../failure.ts';
import type { Sandbox } from '../../sandbox.ts';
import { restore } from '../git/checkout.ts';
import type { Output } from '../output.ts';
import { closingMsMax } from '../run.ts';
import type { Run } from '../run.ts';
import { commandLine } from '../setup/command-line.ts';
import type { Ways } from '../ways.ts';
import { evidenceOf, isGreen } from './evidence.ts';

/**
 * Runs the checks of a task one after another in the workspace. Each finds what the earlier ones have built, and every tracked file
 * as it was committed. Throws a run failure `sandbox` where the workspace could not be put in order, never for a red check.
 */
export async function runChecks(run: Run, place: Place): Promise<CheckEvidence[]> {
  const { claimed, lease, reports } = run;
  const output = run.openOutput();
  const bench: Bench = { run, output, ...place };
  const evidence: CheckEvidence[] = [];
  try {
    for (const check of claimed.task.checks) {
      if (evidence.length > 0) await tidyUp(bench, { isThorough: false });
      reports.add('check.started', { name: check.name });
      const ended = await prove(bench, check);
      const { outcome, exit_code, duration_ms, flaky } = ended;
      reports.add('check.ended', { name: check.name, outcome, exit_code, duration_ms, flaky });
      evidence.push(ended);
    }
  } finally {
    lease.closeWithin(closingMsMax);
    await output.end();
  }
  return evidence;
}

/** Such as `1 of 2 checks passed`. */
export function summaryOf(checks: readonly CheckEvidence[]): string {
  return `${checks.filter(isGreen).length} of ${checks.length} checks passed`;
}

interface Place {
  readonly sandbox: Sandbox;
  readonly ways: Ways;
  /** Another sandbox in the place of this one, as the run began with it. */
  readonly again: () => Promise<Sandbox>;
}

interface Bench extends Omit<Place, 'sandbox'> {
  sandbox: Sandbox;
  readonly run: Run;
  readonly output: Output;
}

/** What is red is tried once more: a check that can't make up its mind proves nothing against the work. */
async function prove(bench: Bench, check: Check): Promise<CheckEvidence> {
  const first = await runCheck(bench, check);
  const isRed = !isGreen(first) && (first.outcome === 'exited' || first.outcome === 'signaled');
  if (!isRed) return first;
  await tidyUp(bench, { isThorough: true });
  const second = await runCheck(bench, check);
  return { ...second, flaky: isGreen(second) };
}

/** Kept while a check runs; the counts of tests stand near the end. */
const tailBytes = 65_536;

async function runCheck({ run, sandbox, ways, output }: Bench, check: Check): Promise<CheckEvidence> {
  const { claimed, lease, signal } = run;
  const [program = '', ...args] = check.command;
  let printed = 0;
  output.write(Buffer.from(`${startsLine(output) ? '' : '\n'}$ ${commandLine(check.command)}\n`));
  output.begin(tailBytes);
  const exit = await ways.run(sandbox, {
    argv: [program, ...args],
    env: { CI: '1', SKEP_RUN_ID: claimed.run.id, ...ways.env },
    timeoutMs: claimed.limits.timeout_ms,
    outputBytesMax: claimed.limits.output_bytes_max,
    signal,
    now: signal,
    onStart: () => lease.progress({ state: 'working' }),
    onOutput(stream, chunk) {
      printed += chunk.length;
      output.write(chunk, stream);
    },
  });
  signal.throwIfAborted();
  return evidenceOf(check, exit, { bytes: output.tail(), isCut: printed > tailBytes });
}

/** A check may have broken the repository; then the workspace begins anew, without what was built. */
async function tidyUp(bench: Bench, { isThorough }: { isThorough: boolean }): Promise<void> {
  const { signal, claimed } = bench.run;
  if (await restore(bench.sandbox, { commit: claimed.task.commit, isThorough, signal })) return;
  try {
    bench.sandbox = await bench.again();
  } catch (error) {
    signal.throwIfAborted();
    throw runFailure('sandbox', `The workspace could not be put in order after a check: ${String(error)}`);
  }
}

function startsLine(output: Output): boolean {
  const last = output.tail().at(-1);
  return last === undefined || last === 0x0a;
}
