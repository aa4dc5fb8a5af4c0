import type { SpecCard } from '../../../../contract/spec-card.ts';
import type { Dice } from '../dice.ts';
import type { Look } from '../look.ts';
import type { World } from '../parts.ts';
import type { ServerVerbs } from '../server/verbs.ts';
import type { Stranger } from './stranger.ts';

/** What a person asks of any server; `unheard` where no answer came. */
export type Ask = (verb: (server: ServerVerbs) => Promise<unknown>) => Promise<'done' | 'refused' | 'unheard'>;

interface ClickParts {
  readonly world: World;
  readonly dice: Dice;
  readonly look: Look;
  readonly ask: Ask;
  readonly askHard: Ask;
  readonly card: SpecCard | undefined;
  readonly stranger: Stranger;
}

interface Clicks {
  /** Sessions that wait for a word get it, as who watches them would. */
  tendSessions(): Promise<void>;
  /** What waits is decided, mostly well, and now and then somebody does what comes to mind. */
  whileFaulty(): Promise<void>;
  /** Everything that waits for a person is answered so that it goes on. */
  whenCalm(): Promise<void>;
}

interface Stated {
  readonly [column: string]: unknown;
  readonly id: string;
  readonly state: string;
}

export function clicks(parts: ClickParts): Clicks {
  const { world, dice, look, ask, askHard, card, stranger } = parts;
  const isMoody = (): boolean => dice.chance(world.options.faults.people * 0.3);
  const doubted = new Set<string>();
  /** Questions of agents, and those of them that nobody answers. */
  const [seen, left] = [new Set<string>(), new Set<string>()];
  let raised = 1;

  async function tendSessions(): Promise<void> {
    const waiting = look.rows<Stated>(
      `select id, state from sessions where state in ('reviewing', 'approved', 'clarifying') order by created_at, id`,
    );
    for (const { id, state } of waiting) {
      if (state === 'reviewing' && isMoody() && world.isFaulty())
        await Promise.all([ask(server => server.approveSession(id)), ask(server => server.rejectSession(id))]);
      else if (state === 'reviewing') await askHard(server => server.approveSession(id));
      else if (state === 'approved') await askHard(server => server.startBuild(id));
      else if (card !== undefined) await ask(server => server.handIn(id, card));
    }
  }

  async function tendChanges(isCalm: boolean): Promise<void> {
    const waiting = look.rows<{ id: string; head_sha: string }>(
      `select id, head_sha from changes where state = 'open' and approval = 'needed'`,
    );
    for (const { id, head_sha: head } of waiting) {
      // When all is calm once: a work that is rejected for ever never lands.
      const isDoubted = !(isCalm && doubted.has(id)) && dice.chance(world.options.faults.doubt);
      if (isDoubted) doubted.add(id);
      if (isDoubted) world.strikes.count('doubt');
      if (isDoubted && dice.chance(0.6))
        await Promise.all([ask(server => server.approveChange(id, head)), ask(server => server.rejectChange(id))]);
      else if (isDoubted) await askHard(server => server.rejectChange(id));
      else await askHard(server => server.approveChange(id, head));
    }
  }

  async function tendQuestions(isCalm: boolean): Promise<void> {
    const open = look.rows<{ id: string; kind: string }>(
      `select id, kind from questions where state = 'pending' order by created_at, id`,
    );
    for (const { id, kind } of open) {
      // Some are left to their time.
      if (kind === 'ask' && isLeft(id)) continue;
      if (kind === 'ask' && !isCalm && isMoody()) {
        // Two people, of whom each thinks that the other has not.
        await Promise.all([ask(server => server.answer(id, 'the long one')), ask(server => server.answer(id, 'none of them'))]);
        continue;
      }
      const word =
        !isCalm && dice.chance(0.15)
          ? 'stop'
          : kind === 'budget'
            ? `raise:${(raised += 5)}.00`
            : dice.pick(['again', 'be careful']);
      await askHard(server => server.answer(id, word));
    }
  }

  /** Always the same questions. */
  function isLeft(id: string): boolean {
    if (left.has(id)) return true;
    if (seen.has(id)) return false;
    seen.add(id);
    if (!dice.chance(world.options.faults.unanswered)) return false;
    world.strikes.count('unanswered');
    left.add(id);
    return true;
  }

  async function mend(): Promise<void> {
    const [brake] = look.rows<Stated>(`select state from brakes where state <> 'off'`);
    if (brake !== undefined) await ask(server => server.liftBrake());
    const limits = look.rows<{ scope: 'tenant'; scope_id: string }>('select scope, scope_id from run_limits where runs_max = 0');
    for (const { scope, scope_id: scopeId } of limits) await ask(server => server.removeLimit({ scope, scopeId }));
    for (const { id } of look.rows<Stated>(`select id, state from trunks where state = 'refused'`))
      await ask(server => server.prepareTrunk(id));
    for (const branch of stranger.branches()) {
      const [seen] = look.rows(
        'select from trunks where branch = $1 and (publish_error is not null or published_sha = head_sha)',
        [branch],
      );
      if (seen !== undefined) stranger.leave(branch);
    }
    const stalled = look.rows<Stated>(
      `select id, state from trunks where publish_error is not null and publish_due_at > clock_timestamp()`,
    );
    for (const { id } of stalled) await ask(server => server.publishTrunk(id));
    const failed = look.rows<Stated>(
      `select id, status as state from tickets where status = 'failed' and type <> 'epic' order by number`,
    );
    for (const { id } of failed) await ask(server => server.retryTicket(id));
  }

  return {
    tendSessions,
    async whileFaulty() {
      await tendSessions();
      await tendChanges(false);
      if (dice.chance(0.6)) await tendQuestions(false);
      if (dice.chance(world.options.faults.budget)) await spend(parts);
      if (!isMoody()) return;
      world.strikes.count('people');
      await whim(parts);
    },
    async whenCalm() {
      await tendSessions();
      await tendChanges(true);
      await tendQuestions(true);
      await mend();
    },
  };
}

/** A call of a model is made for one that works, and its project has no more money. */
async function spend({ world, look, dice, ask }: ClickParts): Promise<void> {
  const runs = look.rows<{ id: string; project_id: string; ticket_id: string | null }>(
    `select id, project_id, ticket_id from runs where subject_type = 'ticket' and state = 'working' order by created_at, id`,
  );
  if (runs.length === 0) return;
  const { id: runId, project_id: projectId, ticket_id: ticketId } = dice.pick(runs);
  world.strikes.count('budget');
  await ask(server => server.spendBudget({ runId, projectId, ticketId }));
}

type Whim = (parts: ClickParts) => Promise<unknown>;

/** One of these, by chance; mostly it is of no use to anybody. */
function whim(parts: ClickParts): Promise<unknown> {
  return parts.dice.pick(whims)(parts);
}

const ticketsNow = ({ look }: ClickParts): Stated[] =>
  look.rows<Stated>(`select id, status as state from tickets where type <> 'epic' order by number`);

const limitScopes = ['tenant', 'agent', 'worker', 'project'] as const;

const whims: readonly Whim[] = [
  async parts => {
    const tickets = ticketsNow(parts);
    if (tickets.length === 0 || parts.dice.chance(0.5)) return;
    const { id } = parts.dice.pick(tickets);
    await parts.askHard(server => server.cancelTicket(id));
  },
  async parts => {
    const sessions = parts.look.rows<Stated>('select id, state from sessions order by created_at, id');
    if (sessions.length === 0 || parts.dice.chance(0.85)) return;
    const { id } = parts.dice.pick(sessions);
    await parts.ask(server => server.cancelSession(id));
  },
  async parts => {
    const tickets = ticketsNow(parts).filter(({ state }) => state === 'failed' || state === 'waiting');
    if (tickets.length === 0) return;
    const { id } = parts.dice.pick(tickets);
    await parts.askHard(server => server.retryTicket(id));
  },
  async parts => {
    const runs = parts.look.rows<Stated>(`select id, state from runs where ended_at is null order by created_at, id`);
    if (runs.length === 0 || parts.dice.chance(0.5)) return;
    const { id } = parts.dice.pick(runs);
    await parts.ask(server => server.cancelRun(id));
  },
  async ({ look, ask }) => {
    const trunks = look.rows<Stated>(`select id, state from trunks where state = 'ready' order by created_at, id`);
    await Promise.all(
      trunks.flatMap(({ id }) => [ask(server => server.publishTrunk(id)), ask(server => server.publishTrunk(id))]),
    );
  },
  parts => parts.ask(server => server.pullBrake()),
  parts => parts.askHard(server => server.liftBrake()),
  async ({ look, dice, ask }) => {
    const scope = dice.pick(limitScopes);
    const [project] = look.rows<{ id: string }>('select id from projects');
    const scopeId = { tenant: '', agent: 'exec', worker: 'w0', project: project?.id ?? '' }[scope];
    const limit = { scope, scopeId, runsMax: dice.between(0, 2) };
    await ask(server => server.setLimit(limit));
  },
  async ({ look, dice, ask }) => {
    const limits = look.rows<{ scope: 'tenant'; scope_id: string }>('select scope, scope_id from run_limits order by scope');
    if (limits.length === 0) return;
    const { scope, scope_id: scopeId } = dice.pick(limits);
    await ask(server => server.removeLimit({ scope, scopeId }));
  },
  async parts => {
    const { dice } = parts;
    const tickets = ticketsNow(parts);
    const [one, other] = tickets.length > 1 ? [dice.pick(tickets), dice.pick(tickets)] : [];
    if (one === undefined || other === undefined) return;
    const fields = dice.chance(0.5) || one.id === other.id ? { priority: dice.between(0, 9) } : { dependsOn: [other.id] };
    await parts.ask(server => server.editTicket(one.id, fields));
  },
];
