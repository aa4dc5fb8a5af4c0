import { afterEach, beforeAll, expect, test } from 'vitest';
import type { WireQuestion } from '../../contract/talk/questions.ts';
import type { WireRun } from '../../contract/runs.ts';
import { skep } from '../harness/cli.ts';
import { allCompleted, type Farm, startFarm, tickets } from '../harness/farm.ts';
import { buildSkep, endAll, until } from '../harness/process.ts';
import { approvedSession, card } from '../harness/story.ts';
import { makeRepository, script } from '../harness/worker.ts';
import { fileOn } from './build/published.ts';

beforeAll(buildSkep);
afterEach(endAll);

/** Asks and ends its turn with half of the work, or goes on and ends all of it; the second time it writes down what it was told. */
const agent = script(
  `title=$(sed -n 's/^  "title": "\\(.*\\)",$/\\1/p' "$SKEP_TICKET")`,
  'if [ "$title" = Apart ]; then echo apart > apart.txt; exit; fi',
  'if [ -n "$SKEP_FEEDBACK" ]; then',
  '  [ "$title" = Stubborn ] || cp "$SKEP_FEEDBACK" told.txt',
  'else',
  `  echo "$title" > "$title.txt"`,
  `  skep-report ask_human --question "Which colour, $title?" --options red --options blue --default red || exit 1`,
  `  [ "$title" != Stubborn ] || skep-report submit_result --status done --summary "All of it"`,
  'fi',
);

const waiting = async (farm: Farm) =>
  (await farm.call('GET', '/api/questions?state=pending')).body['questions'] as WireQuestion[];
const runsOf = async (farm: Farm, ticketId: string) =>
  ((await farm.call('GET', `/api/runs?ticket_id=${ticketId}`)).body['runs'] as WireRun[])
    .filter(run => run.subject_type === 'ticket')
    .toReversed();

test('an agent whose question nobody answers soon gives its place away, and goes on with the answer, also on another server', async () => {
  const farm = await startFarm({ SKEP_QUESTION_WAIT_S: '0' });
  const repository = makeRepository({ 'agent.sh': agent });
  const settings = { kind: 'exec', command: ['./agent.sh'], model: 'recorded/none' };
  await farm.call('POST', '/api/projects', { name: 'story', repository, agent: settings, checks: [] });
  const session = await approvedSession(farm, card('story', [{ title: 'Usual' }, { title: 'Stubborn' }, { title: 'Apart' }]));
  await farm.call('POST', `/api/hitl/${session}/start-build`, { confirmed: true });
  // One slot: whoever waited in it would let nobody else work.
  farm.worker('only', { slots: 1 });
  await until('the ticket that asks nothing', async () =>
    (await tickets(farm)).find(({ title, status }) => title === 'Apart' && status === 'completed'),
  );
  const asked = await until('two questions', async () => {
    const open = (await tickets(farm)).filter(({ status }) => status !== 'waiting' && status !== 'completed');
    return open.length === 0 ? waiting(farm) : undefined;
  });
  expect(asked.map(({ kind, text }) => `${kind}: ${text}`).toSorted()).toEqual([
    'ask: Which colour, Stubborn?',
    'ask: Which colour, Usual?',
  ]);

  await farm.server.kill('SIGKILL');
  const again = await farm.restart();
  const env = { SKEP_TOKEN: farm.token };
  const { out } = await skep(['question', 'list', '--waiting', '--server', again.url], { env });
  expect(out).toContain('Which colour, Usual?');
  for (const { id } of asked)
    expect((await skep(['question', 'answer', id, 'blue', '--server', again.url], { env })).code).toBe(0);

  const done = await until('all tickets completed', () => allCompleted(again));
  await until('the branch', async () =>
    (await again.call('GET', `/api/hitl/${session}`)).body['state'] === 'completed' ? true : undefined,
  );
  for (const title of ['Usual', 'Stubborn']) {
    const { id = '' } = done.find(ticket => ticket.title === title) ?? {};
    expect((await runsOf(again, id)).map(({ state, attempt }) => [state, attempt])).toEqual([
      ['returned', 1],
      ['accepted', 2],
    ]);
    expect(fileOn(repository, 'skep/story', `${title}.txt`)).toBe(title);
  }
  expect(fileOn(repository, 'skep/story', 'told.txt')).toBe(
    'The last attempt asked a person, and ended its turn until there was an answer. What it had done so far is what you begin from: go on from there.\n\nAsked: Which colour, Usual?\nA person has answered: blue',
  );
});
