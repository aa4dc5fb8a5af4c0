import type { EventType } from '../../../contract/events.ts';
import type { Agent, Check } from '../../../contract/projects.ts';
import type { SpecCardInput } from '../../../contract/spec-card.ts';
import { query } from '../../harness/database.ts';
import { allEvents, databaseOf, type Farm } from '../../harness/farm.ts';
import { until } from '../../harness/process.ts';
import { makeRepository } from '../../harness/worker.ts';
import { startStory, type Story, ticketsOf } from '../../scenarios/build/story.ts';

/** How a spec comes to its end, with real processes: what its log is kept of. */
export interface Tale {
  /** Of the log that is kept of it, and what happens in it. */
  readonly name: string;
  /** Of the server. */
  readonly env?: () => Readonly<Record<string, string>>;
  /** A server with what the environment alone does not give. */
  readonly start?: (env: Readonly<Record<string, string>>) => Promise<Farm>;
  /** Until the spec is finished; the farm as it then is. */
  play(farm: Farm): Promise<Farm>;
}

export const shell = (script: string): Agent => ({ kind: 'exec', command: ['sh', '-c', script] });
export const check = (script: string): Check => ({ name: 'check', command: ['sh', '-c', script] });

/** A file for each ticket. */
export const stamp = 'date +%N >"$SKEP_TICKET_ID.txt"';
/** Lets the title of the ticket be `$title`. */
export const title = `title=$(sed -n 's/^  "title": "\\(.*\\)",$/\\1/p' "$SKEP_TICKET");`;

export interface Work {
  readonly script: string;
  readonly features: SpecCardInput['features'];
  readonly files?: Readonly<Record<string, string>>;
  readonly checks?: readonly Check[];
  readonly agent?: Agent;
}

/** The build of a card of these features in a repository of these files. */
export function begin(
  farm: Farm,
  { script, features, files = { 'a.txt': 'a\n' }, checks, agent = shell(script) }: Work,
): Promise<Story> {
  const card = { name: 'Told', features };
  return startStory(farm, { repository: makeRepository(files), agent, card, checks: checks ?? [check('true')] });
}

/** Waits for the good end of a build; throws, with where its tickets are, where a ticket fails on the way there or it takes too long. */
export async function completed(farm: Farm, story: Story): Promise<Farm> {
  const isOver = async (): Promise<boolean> => {
    const { body } = await farm.call('GET', `/api/hitl/${story.session}`);
    if (body['state'] === 'completed') return true;
    return (await ticketsOf(farm, story)).some(({ status }) => status === 'failed');
  };
  const end = await until('the build is over', async () => ((await isOver()) ? true : undefined), settleMs).catch(String);
  const tickets = await ticketsOf(farm, story);
  const open = tickets.filter(({ status }) => status !== 'completed' && status !== 'cancelled');
  if (end === true && open.length === 0) return farm;
  throw new Error(`${end}: ${open.map(({ id, status, status_reason: reason }) => `${id} ${status} ${reason}`).join(', ')}`);
}

const settleMs = 120_000;

export async function post(farm: Farm, path: string, body?: unknown): Promise<Readonly<Record<string, unknown>>> {
  const answer = await farm.call('POST', `/api/${path}`, body);
  if (answer.status >= 300) throw new Error(`${path}: ${JSON.stringify(answer.body)}`);
  return answer.body;
}

/** Until the log tells of an event of this type. */
export function heard(farm: Farm, type: EventType): Promise<true> {
  return until(
    `the event ${type}`,
    async () => ((await allEvents(farm)).some(event => event.type === type) ? true : undefined),
    settleMs,
  );
}

/** What has a time is due now. */
export async function dueNow(farm: Farm, table: 'questions' | 'brakes'): Promise<void> {
  await query(await databaseOf(farm), `update ${table} set due_at = clock_timestamp() where due_at is not null`);
}

/** The question that waits for a person. */
export function asked(farm: Farm): Promise<string> {
  return until('a question is asked', async () => {
    const { body } = await farm.call('GET', '/api/questions?state=pending');
    const [first] = body['questions'] as { id: string }[];
    return first?.id;
  });
}
