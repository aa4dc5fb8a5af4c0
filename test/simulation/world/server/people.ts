import type { Clock } from '../../../../src/kernel/clock.ts';
import type { FlowParts } from '../../../../src/flow.ts';
import type { SpecCard } from '../../../../contract/spec-card.ts';
import type { Scope } from '../../../../src/db/database.ts';
import { publishTrunk } from '../../../../src/stages/changes/index.ts';
import { approveChange, rejectChange } from '../../../../src/stages/changes/verbs.ts';
import { askAboutBudget, type ClaimDesk, haltRun } from '../../../../src/stages/runs/index.ts';
import { retryWork } from '../../../../src/stages/runs/parking/close.ts';
import { decideQuestion } from '../../../../src/stages/runs/parking/decide.ts';
import { cancelRun } from '../../../../src/stages/runs/verbs.ts';
import { approveSession, cancelSession, openSession } from '../../../../src/stages/sessions/index.ts';
import { handInCard, rejectSpec } from '../../../../src/stages/specs/index.ts';
import { startBuild } from '../../../../src/stages/tickets/build.ts';
import { cancelTicket, editTicket, openTicket } from '../../../../src/stages/tickets/index.ts';
import { listBudgets, setBudget } from '../../../../src/support/budgets/index.ts';
import { liftBrake, pullBrake } from '../../../../src/support/fleet/index.ts';
import { removeLimit, setLimit } from '../../../../src/support/fleet/limits.ts';
import { prepareAgain } from '../../../../src/support/repositories/index.ts';
import type { NewTicket } from '../../../../src/stages/tickets/verbs.ts';

export interface VerbParts extends FlowParts {
  readonly clock: Clock;
  readonly desk: ClaimDesk;
  readonly tenantId: string;
}

type Limit = Parameters<typeof setLimit>[1];

/** What people do, each as its route does it. */
export interface PeopleVerbs {
  openSession(projectId: string, card: SpecCard): Promise<string>;
  handIn(sessionId: string, card: SpecCard): Promise<void>;
  approveSession(id: string): Promise<void>;
  rejectSession(id: string): Promise<void>;
  cancelSession(id: string): Promise<void>;
  startBuild(sessionId: string): Promise<{ readonly epicId: string; readonly ticketCount: number }>;
  openTicket(wanted: NewTicket): Promise<string>;
  editTicket(id: string, fields: { readonly priority?: number; readonly dependsOn?: readonly string[] }): Promise<void>;
  cancelTicket(id: string): Promise<void>;
  retryTicket(id: string): Promise<void>;
  cancelRun(id: string): Promise<void>;
  approveChange(id: string, headSha: string): Promise<void>;
  rejectChange(id: string): Promise<void>;
  answer(questionId: string, answer: string): Promise<void>;
  pullBrake(): Promise<void>;
  liftBrake(): Promise<void>;
  setLimit(limit: Limit): Promise<void>;
  removeLimit(limit: Pick<Limit, 'scope' | 'scopeId'>): Promise<void>;
  prepareTrunk(id: string): Promise<void>;
  publishTrunk(id: string): Promise<void>;
  /** The gateway refuses a call of this run, since the budget of its project is spent. */
  spendBudget(run: { readonly runId: string; readonly projectId: string; readonly ticketId: string | null }): Promise<void>;
}

export function peopleVerbs(parts: VerbParts): PeopleVerbs {
  const scope = { tenantId: parts.tenantId, actor: 'token:person' };
  return { ...sessionVerbs(parts, scope), ...workVerbs(parts, scope), ...fleetVerbs(parts, scope), ...budgetVerbs(parts, scope) };
}

type SessionVerbs = Pick<
  PeopleVerbs,
  'openSession' | 'handIn' | 'approveSession' | 'rejectSession' | 'cancelSession' | 'startBuild'
>;

function sessionVerbs({ database }: VerbParts, scope: Scope): SessionVerbs {
  return {
    openSession: (projectId, card) =>
      database.request(scope, async tx => {
        const { id } = await openSession(tx, { description: card.name, projectId });
        await handInCard(tx, id, card);
        return id;
      }),
    async handIn(id, card) {
      await database.request(scope, tx => handInCard(tx, id, card));
    },
    async approveSession(id) {
      await database.request(scope, tx => approveSession(tx, id));
    },
    async rejectSession(id) {
      await database.request(scope, tx => rejectSpec(tx, id, 'not like this'));
    },
    async cancelSession(id) {
      await database.request(scope, tx => cancelSession(tx, id));
    },
    startBuild: id => database.request(scope, tx => startBuild(tx, id)),
  };
}

type WorkVerbs = Pick<
  PeopleVerbs,
  | 'openTicket'
  | 'editTicket'
  | 'cancelTicket'
  | 'retryTicket'
  | 'cancelRun'
  | 'approveChange'
  | 'rejectChange'
  | 'answer'
  | 'prepareTrunk'
  | 'publishTrunk'
>;

function workVerbs(parts: VerbParts, scope: Scope): WorkVerbs {
  const { database, settings, tenantId } = parts;
  return {
    async openTicket(wanted) {
      return (await database.request(scope, tx => openTicket(tx, wanted))).id;
    },
    async editTicket(id, fields) {
      await database.request(scope, tx => editTicket(tx, id, fields));
    },
    async cancelTicket(id) {
      await database.request(scope, tx => cancelTicket(tx, id, { reason: 'not wanted any more', cascade: true }));
    },
    async retryTicket(id) {
      await database.request(scope, tx => retryWork(tx, id));
    },
    async cancelRun(id) {
      await database.engine(scope, tx => cancelRun(tx, id));
    },
    async approveChange(id, headSha) {
      await database.engine(scope, tx => approveChange(tx, id, headSha));
    },
    async rejectChange(id) {
      await database.engine(scope, tx => rejectChange(tx, id, { reason: 'the tests were changed', settings }));
    },
    async answer(id, answer) {
      await database.request(scope, tx => decideQuestion(tx, { id, answer }, settings));
    },
    async prepareTrunk(id) {
      await database.request(scope, tx => prepareAgain(tx, id, undefined));
    },
    publishTrunk: id => publishTrunk(parts, tenantId, id),
  };
}

function fleetVerbs(
  { database }: VerbParts,
  scope: Scope,
): Pick<PeopleVerbs, 'pullBrake' | 'liftBrake' | 'setLimit' | 'removeLimit'> {
  return {
    async pullBrake() {
      await database.request(scope, tx => pullBrake(tx, { reason: 'a person is worried', by: scope.actor, dueMs: null }));
    },
    async liftBrake() {
      await database.request(scope, tx => liftBrake(tx));
    },
    async setLimit(limit) {
      await database.request(scope, tx => setLimit(tx, limit));
    },
    async removeLimit(limit) {
      await database.request(scope, tx => removeLimit(tx, limit));
    },
  };
}

function budgetVerbs({ database }: VerbParts, scope: Scope): Pick<PeopleVerbs, 'spendBudget'> {
  const message = 'The budget is spent';
  return {
    async spendBudget({ runId, projectId, ticketId }) {
      const cap = { capMicroUsd: 500_000, capTokens: null };
      await database.request(scope, tx => setBudget(tx, { scope: 'project', scopeId: projectId, ...cap }));
      await database.engine(scope, async tx => {
        const [budget] = await listBudgets(tx, { limit: 1 });
        if (budget === undefined) return;
        const run = { tenantId: tx.tenantId, runId, projectId, specId: null, ticketId, agent: 'exec' };
        const questionId = await askAboutBudget(tx, { budget, message, run });
        await haltRun(tx, runId, { kind: 'budget', message, questionId });
      });
    },
  };
}
