import type { WireChange } from '../../../contract/changes.ts';
import type { NetworkRule } from '../../../contract/network/rules.ts';
import type { Agent, Check } from '../../../contract/projects.ts';
import type { WireResult } from '../../../contract/results.ts';
import type { WireReview } from '../../../contract/reviews.ts';
import type { WireRun } from '../../../contract/runs.ts';
import type { WireSession } from '../../../contract/sessions.ts';
import type { SpecCardInput } from '../../../contract/spec-card.ts';
import type { WireTicket } from '../../../contract/tickets.ts';
import type { WireTrunk } from '../../../contract/trunks.ts';
import { systemClock } from '../../../src/kernel/clock.ts';
import type { Farm } from '../../harness/farm.ts';
import { until } from '../../harness/process.ts';
import { approvedSession } from '../../harness/story.ts';

type Asked = Pick<Farm, 'call'>;

export interface Wanted {
  readonly repository: string | null;
  readonly agent: Agent;
  readonly card: SpecCardInput;
  readonly checks?: readonly Check[];
  readonly network?: readonly NetworkRule[];
  readonly test_changes?: 'ask' | 'allow';
  readonly red_base?: 'refuse' | 'leave_out';
}

/** A build that was started by the API, as `skep build` does it. */
export interface Story {
  readonly session: string;
  readonly spec: string;
  readonly repository: string;
}

let projects = 0;

/** A project of its own, a session with the card, approved, and its build started. */
export async function startStory(farm: Asked, { card, repository, ...settings }: Wanted): Promise<Story> {
  projects += 1;
  const name = `story ${projects}`;
  const given = repository === null ? settings : { repository, ...settings };
  const made = await farm.call('POST', '/api/projects', { name, ...given });
  if (made.status !== 201) throw new Error(`the project was refused: ${JSON.stringify(made.body)}`);
  const session = await approvedSession(farm, card, name);
  const started = await farm.call('POST', `/api/hitl/${session}/start-build`, { confirmed: true });
  if (started.status !== 200) throw new Error(`the build was refused: ${JSON.stringify(started.body)}`);
  const { spec_id: spec } = (await farm.call('GET', `/api/hitl/${session}`)).body;
  return { session, spec: String(spec), repository: repository ?? '' };
}

/** All that there is to see of a build. */
export interface Outcome {
  readonly session: WireSession;
  /** In the order of the card. */
  readonly tickets: readonly WireTicket[];
  readonly trunk: WireTrunk;
  readonly changes: readonly WireChange[];
  readonly reviews: readonly WireReview[];
  readonly results: readonly WireResult[];
}

export async function look(farm: Asked, story: Story): Promise<Outcome> {
  const trunk = await trunkOf(farm, story);
  if (trunk === undefined) throw new Error('the build has no trunk yet');
  const about = `trunk_id=${trunk.id}&limit=500`;
  return {
    session: (await farm.call('GET', `/api/hitl/${story.session}`)).body as unknown as WireSession,
    tickets: await ticketsOf(farm, story),
    trunk,
    changes: await list<WireChange>(farm, `/api/changes?${about}`, 'changes'),
    reviews: await list<WireReview>(farm, `/api/reviews?${about}`, 'reviews'),
    results: await list<WireResult>(farm, `/api/specs/${story.spec}/results`, 'results'),
  };
}

/** Waits until nothing of the build moves by itself any more: done, refused, failed, or a person's turn. */
export async function settled(farm: Asked, story: Story, ms = 60_000): Promise<Outcome> {
  const isOver = async (): Promise<true | undefined> => {
    const tickets = await ticketsOf(farm, story);
    // To ask of many tickets as often as can be would cost the build a good part of its cores.
    await systemClock.sleep(50 + 5 * tickets.length);
    const trunk = await trunkOf(farm, story);
    if (trunk?.state === 'refused') return true;
    if (trunk?.state !== 'ready' || tickets.some(({ status }) => !still.has(status))) return undefined;
    if (tickets.some(({ status }) => status === 'blocked') && tickets.every(({ status }) => !holdsUp.has(status)))
      return undefined;
    const isPublished = trunk.head_sha === trunk.base_sha || trunk.head_sha === trunk.published_sha;
    if (!isPublished || trunk.publish_error !== null) return trunk.publish_error === null ? undefined : true;
    if (tickets.some(({ status }) => status !== 'completed')) return true;
    const { body } = await farm.call('GET', `/api/hitl/${story.session}`);
    return body['state'] === 'completed' ? true : undefined;
  };
  try {
    await until('the build has settled', isOver, ms);
  } catch (error) {
    throw new Error(`${String(error)}\n${await tellWhere(farm, story)}`, { cause: error });
  }
  return look(farm, story);
}

/** States that a ticket leaves by a person's doing or another ticket's alone. */
const still: ReadonlySet<string> = new Set(['completed', 'failed', 'cancelled', 'waiting', 'blocked']);
const holdsUp: ReadonlySet<string> = new Set(['failed', 'cancelled', 'waiting']);

export async function ticketsOf(farm: Asked, { session }: Story): Promise<WireTicket[]> {
  const tickets: WireTicket[] = [];
  for (let after = ''; ; ) {
    const { body } = await farm.call('GET', `/api/tickets?session_id=${session}&limit=500${after}`);
    const page = body as unknown as { tickets: WireTicket[]; next: string | null };
    tickets.push(...page.tickets.filter(({ type }) => type !== 'epic'));
    if (page.next === null) return tickets;
    after = `&after=${page.next}`;
  }
}

export async function trunkOf(farm: Asked, { spec }: Story): Promise<WireTrunk | undefined> {
  return (await list<WireTrunk>(farm, `/api/trunks?spec_id=${spec}`, 'trunks'))[0];
}

/** All runs of the farm. */
export function runsOf(farm: Asked, filter = ''): Promise<WireRun[]> {
  return list<WireRun>(farm, `/api/runs?limit=500${filter}`, 'runs');
}

/** Of the tickets of a build, by title. */
export function byTitle<T extends { readonly title: string }>(rows: readonly T[], title: string): T {
  const row = rows.find(each => each.title === title);
  if (row === undefined) throw new Error(`there is none of the title '${title}'`);
  return row;
}

async function list<T>({ call }: Asked, path: string, key: string): Promise<T[]> {
  const { status, body } = await call('GET', path);
  if (status !== 200) throw new Error(`${path}: ${JSON.stringify(body)}`);
  return body[key] as T[];
}

/** For whoever reads the failure. */
async function tellWhere(farm: Asked, story: Story): Promise<string> {
  const { trunk, tickets, changes } = await look(farm, story).catch(() => ({ trunk: undefined, tickets: [], changes: [] }));
  const open = tickets.filter(({ status }) => status !== 'completed').slice(0, 20);
  return [
    `trunk ${trunk?.state}, ${trunk?.merge_count} merges, at ${trunk?.head_sha}, published ${trunk?.published_sha}: ${trunk?.reason ?? trunk?.publish_error ?? ''}`,
    ...open.map(({ id, title, status, status_reason }) => {
      const change = changes.find(({ ticket_id }) => ticket_id === id);
      return `${id} ${title}: ${status} (${status_reason}), change ${change?.state} (${change?.reason})`;
    }),
  ].join('\n');
}
