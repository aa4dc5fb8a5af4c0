import { type Claimed, type FailureClass, type Halt, isParking, type RunResult } from '../../../../contract/runs.ts';
import { storable } from '../../../kernel/json.ts';
import { plannerExits } from '../../host/planner-exits.ts';
import { lastWords, runFailure } from '../../failure.ts';
import { insidePath, nodeInside } from '../../inside.ts';
import type { Sandbox, SandboxExit } from '../../sandbox.ts';
import { classOf, haltOf, haltWarning } from '../ending/halt.ts';
import type { Source } from '../git/source.ts';
import { closingMsMax } from '../run.ts';
import type { Run } from '../run.ts';
import { openWays } from '../ways.ts';
import type { Ways } from '../ways.ts';
import { inWorkspace } from '../workspace.ts';

/** What came of a phase of planning; with `halt` the run cannot go on until a person has decided. */
export type Planned = { readonly halt: Halt } | { readonly halt: undefined; readonly result: RunResult };

/** Bytes; the largest plan that the server takes is smaller. */
const answerBytesMax = 4_194_304;

/** One phase of a plan: the planner in a sandbox with the repository, which sees nothing else but the gateway. */
export async function planPhase(run: Run, source: Source): Promise<Planned> {
  const stdin = questionOf(run.claimed);
  const ways = await openWays(run, { gateway: true, network: false });
  try {
    const place = { source, branch: 'skep/plan', files: [], folders: ways.folders, links: ways.links, hasSetup: false };
    return await inWorkspace(run, { ...place, onMade: ways.prepare }, sandbox => planIn(run, { sandbox, ways, stdin }));
  } finally {
    ways.close();
  }
}

interface Parts {
  readonly sandbox: Sandbox;
  readonly ways: Ways;
  readonly stdin: string;
}

async function planIn(run: Run, parts: Parts): Promise<Planned> {
  run.phase('plan');
  const { exit, answer, words } = await runPlanner(run, parts);
  run.signal.throwIfAborted();
  // What the server knows to stand in the way decides, whatever the planner says of its end.
  const halt = await haltOf(run);
  if (halt !== undefined && isParking(halt.kind)) return { halt };
  if (halt !== undefined) throw runFailure(classOf(halt.kind), halt.message);
  if (exit.reason !== 'exited' || exit.code !== 0) throw failureOf(exit, words);
  const output = read(answer);
  return { halt: undefined, result: { summary: `${run.claimed.task.plan?.phase ?? ''} planned`, output } };
}

interface Ended {
  readonly exit: SandboxExit;
  readonly answer: string;
  /** What it said at last of how it goes. */
  readonly words: string;
}

async function runPlanner(run: Run, { sandbox, ways, stdin }: Parts): Promise<Ended> {
  const { claimed, lease } = run;
  const output = run.openOutput();
  const halt = haltWarning(run);
  const answer: Buffer[] = [];
  try {
    const exit = await ways.run(sandbox, {
      argv: [nodeInside().program, `${insidePath}/planner.mjs`],
      env: ways.env,
      stdin,
      timeoutMs: claimed.limits.timeout_ms,
      outputBytesMax: answerBytesMax,
      signal: halt.signal,
      now: lease.signal,
      onStart: () => lease.progress({ state: 'working' }),
      onOutput: (stream, chunk) => void (stream === 'stdout' ? answer.push(chunk) : output.write(chunk)),
    });
    return { exit, answer: Buffer.concat(answer).toString('utf8'), words: lastWords(output.tail()) };
  } finally {
    halt.unlink();
    lease.closeWithin(closingMsMax);
    await output.end();
  }
}

/** What the planner reads. Throws a run failure `invalid_task` where there is nothing to be planned. */
function questionOf({ task, subject }: Claimed): string {
  if (task.plan === null)
    throw runFailure('invalid_task', `A run of a ${subject.type} that does not say what to plan can't be worked on`);
  return JSON.stringify({ ...task.plan, feedback: task.feedback?.text ?? null });
}

const classOfExit: Readonly<Record<number, FailureClass>> = {
  [plannerExits.refused]: 'model',
  [plannerExits.noAnswer]: 'provider',
  [plannerExits.noShape]: 'agent_failed',
};

function failureOf(exit: SandboxExit, words: string): Error {
  const said = words === '' ? 'it said nothing' : `it said at last:\n${words}`;
  switch (exit.reason) {
    case 'exited':
      return runFailure(classOfExit[exit.code] ?? 'agent_failed', `The planner ended with exit code ${exit.code}; ${said}`);
    case 'timeout':
    case 'output_limit':
    case 'out_of_memory':
      return runFailure(exit.reason, `The planner was ended (${exit.reason.replaceAll('_', ' ')}); ${said}`);
    case 'workspace_full':
      return runFailure('output_limit', `The workspace is larger than ${Math.floor(exit.workspaceBytesMax / 2 ** 20)} MiB`);
    case 'signaled':
      return runFailure('agent_died', `The planner was ended by ${exit.signal}, which Skep did not send; ${said}`);
    case 'aborted':
      return runFailure('sandbox', 'The planner was ended from outside');
    default:
      return runFailure('sandbox', `The planner could not be run (${exit.reason.replaceAll('_', ' ')}); ${said}`);
  }
}

/** A model's text may hold what no database takes: it is taken out. Throws a run failure `agent_failed` for what is no document. */
function read(answer: string): NonNullable<RunResult['output']> {
  try {
    const document: unknown = JSON.parse(lastLine(answer), (_key, value: unknown) =>
      typeof value === 'string' ? storable(value) : value,
    );
    if (typeof document === 'object' && document !== null && !Array.isArray(document))
      return document as NonNullable<RunResult['output']>;
  } catch {
    // Said below.
  }
  throw runFailure('agent_failed', 'The planner has printed no JSON document');
}

/** A package that talks to stdout must not spoil the answer. */
function lastLine(text: string): string {
  const trimmed = text.trimEnd();
  return trimmed.slice(trimmed.lastIndexOf('\n') + 1);
}
