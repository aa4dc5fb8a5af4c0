import type { Claimed, FailureClass, RunResult } from '../../../../contract/runs.ts';
import { toWire } from '../../../../contract/case.ts';
import type { Scope } from '../../../../src/db/database.ts';
import { Fault } from '../../../../src/kernel/fault.ts';
import { commitsOfHolder } from '../../../../src/stages/changes/repository/holder.ts';
import { taskOf } from '../../../../src/stages/runs/index.ts';
import { createSubmit } from '../../../../src/stages/runs/protocol/submit.ts';
import { keepTask } from '../../../../src/stages/runs/protocol/task.ts';
import type { ClaimedRun } from '../../../../src/stages/runs/queue/claim.ts';
import { advance } from '../../../../src/stages/runs/protocol/advance.ts';
import { buryRun } from '../../../../src/stages/runs/recovery/lose.ts';
import { storeRescue } from '../../../../src/stages/runs/remains/remains.ts';
import { reportRun } from '../../../../src/stages/runs/report.ts';
import { appendLog, storeBundle } from '../../../../src/stages/runs/uploads.ts';
import { failRun, parkRun, renew, returnClaim } from '../../../../src/stages/runs/verbs.ts';
import { wireRun } from '../../../../src/stages/runs/wire.ts';
import { getTicket, wireTicket } from '../../../../src/stages/tickets/index.ts';
import { getProject } from '../../../../src/support/projects/index.ts';
import type { LeaseKey, Progress } from '../../../../src/worker/client.ts';
import { Content } from '../git/content.ts';
import type { AgentVerbs } from './agent-verbs.ts';
import { type PeopleVerbs, peopleVerbs, type VerbParts } from './people.ts';

export interface ClaimCall {
  readonly worker: string;
  readonly capabilities: readonly string[];
  readonly waitMs: number;
}

/** What the routes of a server do, without HTTP: each is what its route calls, with the same arguments. */
export interface ServerVerbs extends PeopleVerbs, AgentVerbs {
  claim(call: ClaimCall, gone: AbortSignal): Promise<Claimed | undefined>;
  heartbeat(worker: string, key: LeaseKey, said: Progress | undefined): Promise<Beat>;
  /** What is fetched by git: the commits of the task. */
  fetch(worker: string, key: LeaseKey): Promise<readonly string[]>;
  log(worker: string, key: LeaseKey, chunk: { readonly offset: number; readonly bytes: Buffer }): Promise<number>;
  report(
    worker: string,
    key: LeaseKey,
    event: { readonly type: string; readonly payload: Record<string, unknown> },
  ): Promise<void>;
  bundle(worker: string, key: LeaseKey, bytes: Buffer): Promise<string>;
  complete(worker: string, key: LeaseKey, result: RunResult): Promise<void>;
  park(worker: string, key: LeaseKey, result: RunResult): Promise<void>;
  fail(worker: string, key: LeaseKey, failure: Failure): Promise<void>;
  rescue(worker: string, claim: { readonly runId: string; readonly fence: number }, bytes: Buffer): Promise<void>;
  bury(worker: string, claim: { readonly runId: string; readonly fence: number }): Promise<void>;
}

export interface Beat {
  readonly leaseMs: number;
  readonly heartbeatMs: number;
  readonly isHalted: boolean;
}

export interface Failure {
  readonly class: FailureClass;
  readonly message: string;
  readonly result?: RunResult | undefined;
}

export function serverVerbs(parts: VerbParts & { readonly agents: AgentVerbs }): ServerVerbs {
  return {
    ...peopleVerbs(parts),
    ...parts.agents,
    ...claimVerbs(parts),
    ...leaseVerbs(parts),
    ...endVerbs(parts),
    ...remainsVerbs(parts),
  };
}

function claimVerbs(parts: VerbParts): Pick<ServerVerbs, 'claim' | 'fetch'> {
  const { database, desk } = parts;
  return {
    async claim({ worker, capabilities, waitMs }, gone) {
      const scope = scopeOf(parts, worker);
      const got = await desk.claim({ ...scope, worker, capabilities }, waitMs, gone);
      if (got === undefined) return undefined;
      try {
        gone.throwIfAborted();
        return await describe(parts, scope, got);
      } catch (error) {
        await database.engine(scope, tx => returnClaim(tx, { runId: got.run.id, token: got.token }, parts.settings));
        throw error;
      }
    },
    async fetch(worker, key) {
      const { repo, wants } = await commitsOfHolder(parts, scopeOf(parts, worker), { service: 'rpc', ...key });
      for (const commit of wants) {
        if (!(await repo.objects.has(commit)))
          throw new Fault('repository_unavailable', { message: `upload-pack: not our ref ${commit}` });
      }
      return wants;
    },
  };
}

/** As the route answers a claim; where it cannot, the run goes back. */
async function describe(parts: VerbParts, scope: Scope, got: ClaimedRun): Promise<Claimed> {
  const { database, settings } = parts;
  return database.engine(scope, async tx => {
    const ticket = got.run.ticketId === null ? null : await getTicket(tx, got.run.ticketId);
    const run = await keepTask(tx, got, ticket);
    const { projectId, task } = await taskOf(tx, run);
    const project = await getProject(tx, projectId);
    const { fence, leaseExpiresAt } = run;
    if (fence === null || leaseExpiresAt === null) throw new Error(`run ${run.id} is held without a lease`);
    return {
      run: wireRun(run),
      subject: { type: run.subjectType, id: run.subjectId },
      ticket: ticket === null ? null : wireTicket(ticket),
      lease: {
        token: got.token,
        ...toWire({ fence, expiresAt: leaseExpiresAt }),
        lease_ms: settings.leaseMs,
        heartbeat_ms: settings.heartbeatMs,
      },
      project: { id: project.id, name: project.name, repository: project.repository, isolation: project.isolation },
      agent: project.agent,
      template: null,
      network: project.network,
      setup: project.setup,
      limits: settings.limits,
      task,
      gateway: { token: got.runToken },
    };
  });
}

function leaseVerbs(parts: VerbParts): Pick<ServerVerbs, 'heartbeat' | 'log' | 'report' | 'bundle'> {
  const { database, settings } = parts;
  return {
    async heartbeat(worker, key, said) {
      const scope = { ...scopeOf(parts, worker), holder: key };
      const row =
        said === undefined
          ? await renew(database, scope, settings)
          : await advance(database, scope, { ...said, leaseMs: settings.leaseMs });
      return { leaseMs: settings.leaseMs, heartbeatMs: settings.heartbeatMs, isHalted: row.halt !== null };
    },
    log: (worker, key, chunk) =>
      appendLog(database, { ...scopeOf(parts, worker), holder: key }, { ...chunk, sizeMax: settings.limits.output_bytes_max }),
    report: (worker, key, event) => reportRun(database, { ...scopeOf(parts, worker), holder: key }, event),
    async bundle(worker, key, bytes) {
      const upload = { source: new Content(bytes), bytesMax: settings.limits.bundle_bytes_max };
      return (await storeBundle(parts, { ...scopeOf(parts, worker), holder: key }, upload)).sha256;
    },
  };
}

function endVerbs(parts: VerbParts): Pick<ServerVerbs, 'complete' | 'park' | 'fail'> {
  const { database, settings, clock } = parts;
  const submit = createSubmit(database, clock);
  return {
    async complete(worker, key, result) {
      await submit({ ...scopeOf(parts, worker), holder: key }, result);
    },
    async park(worker, key, result) {
      await database.engine(scopeOf(parts, worker), tx => parkRun(tx, key, result));
    },
    async fail(worker, key, { class: failureClass, message, result }) {
      const ended = { failureClass, message, result, settings };
      await database.engine(scopeOf(parts, worker), tx => failRun(tx, key, ended));
    },
  };
}

function remainsVerbs(parts: VerbParts): Pick<ServerVerbs, 'rescue' | 'bury'> {
  const { database, settings } = parts;
  return {
    async rescue(worker, claim, bytes) {
      const source = new Content(bytes);
      await storeRescue(parts, scopeOf(parts, worker), { ...claim, source, bytesMax: settings.limits.bundle_bytes_max });
    },
    async bury(worker, { runId, fence }) {
      await database.engine(scopeOf(parts, worker), tx => buryRun(tx, runId, { fence, settings }));
    },
  };
}

function scopeOf({ tenantId }: VerbParts, worker: string): Scope {
  return { tenantId, actor: `worker:${worker}` };
}
