import { readFileSync, writeSync } from 'node:fs';

/** In a server, in the order in which a build comes by them; the database's own first. */
export const failpointsOfServer = [
  'embedded-before-rename',
  'embedded-launched',
  'migration-applied',
  'jobs-installed',
  'token-minted',
  'template-put',
  'router-set',
  'session-approved',
  'build-started',
  'event-written',
  'event-committed',
  'job-taken',
  'job-done',
  'upstream-fetched',
  'trunk-based',
  'runs-rerouted',
  'claim-committed',
  'claim-described',
  'call-reserved',
  'call-sent',
  'call-settled',
  'log-appended',
  'transcript-appended',
  'artifact-stored',
  'bundle-stored',
  'complete-committed',
  'fail-committed',
  'question-asked',
  'question-expired',
  'turn-ended',
  'blocker-reported',
  'park-committed',
  'answer-committed',
  'question-answered',
  'before-resume',
  'after-receive',
  'candidate-made',
  'before-review-opened',
  'review-judged',
  'before-land',
  'merge-stored',
  'after-land',
  'before-publish',
  'after-publish',
  'sweep-took-lease',
  'brake-pulled',
  'rescue-stored',
  'run-buried',
] as const;

/** In a worker, in the order in which a run comes by them; what an heir does for a dead one last. */
export const failpointsOfWorker = [
  'claimed',
  'run-noted',
  'setup-ended',
  'snapshot-made',
  'snapshot-taken',
  'before-sandbox',
  'sandbox-made',
  'checked-out',
  'agent-started',
  'call-relayed',
  'agent-ended',
  'work-committed',
  'work-collected',
  'bundle-uploaded',
  'before-complete',
  'after-complete',
  'before-fail',
  'sandbox-removed',
  'orphan-rescued',
  'before-rescue-upload',
  'after-rescue-upload',
  'after-bury',
] as const;

export type Failpoint = (typeof failpointsOfServer)[number] | (typeof failpointsOfWorker)[number];

interface Armed {
  readonly action: 'kill' | 'stop' | 'throw' | 'delay';
  readonly delayMs: number;
  /** The one hit at which it acts, counted from 1; undefined: at each. */
  readonly nth: number | undefined;
  hits: number;
}

const known: ReadonlySet<string> = new Set([...failpointsOfServer, ...failpointsOfWorker]);
const grammar = /^([a-z-]+):(kill|stop|throw|delay:(\d{1,6}))(?::([1-9]\d{0,5}))?$/;

let armed: ReadonlyMap<string, Armed> = new Map();

/**
 * Named places where a test makes this process die or freeze for real. `name:action[:nth]`, comma-separated: `kill` (SIGKILL to itself),
 * `stop` (SIGSTOP to itself, until a SIGCONT), `throw`, `delay:MS` (the whole process does nothing). Without SKEP_FAILPOINTS a call is
 * one map look-up. Throws for what names no place or no action.
 */
export function armFailpoints(spec: string): void {
  armed = new Map(spec.split(',').filter(Boolean).map(read));
}

export function failpoint(name: Failpoint): void {
  const point = armed.get(name);
  if (point !== undefined) act(name, point);
}

function read(pair: string): [string, Armed] {
  const [, name = '', action = '', delayMs = '0', nth] = grammar.exec(pair) ?? [];
  if (!known.has(name))
    throw new Error(`SKEP_FAILPOINTS: "${pair}" is not name:action[:nth] with a name of src/kernel/failpoint.ts`);
  const kind = action.replace(/:.*/, '') as Armed['action'];
  return [name, { action: kind, delayMs: Number(delayMs), nth: nth === undefined ? undefined : Number(nth), hits: 0 }];
}

function act(name: Failpoint, point: Armed): void {
  point.hits += 1;
  if (point.nth !== undefined && point.hits !== point.nth) return;
  writeSync(2, `failpoint ${name} ${point.action}\n`);
  if (point.action === 'throw') throw new Error(`failpoint ${name}`);
  if (point.action === 'delay') {
    // Not only this call: nothing of the process runs, as when the machine has no time for it.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, point.delayMs);
    return;
  }
  process.kill(process.pid, point.action === 'kill' ? 'SIGKILL' : 'SIGSTOP');
  // A signal to oneself is delivered on the way out of a system call; one more call makes sure that nothing runs before it.
  readFileSync('/proc/self/stat');
}
