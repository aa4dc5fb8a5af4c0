import { execFileSync } from 'node:child_process';
import { afterEach, beforeAll, expect, test } from 'vitest';
import type { WireCosts } from '../../contract/models/budgets.ts';
import type { WireQuestion } from '../../contract/talk/questions.ts';
import { allEvents, type Farm } from '../harness/farm.ts';
import {
  budgetsOf,
  endModelFarms,
  gathering,
  modelAgent,
  skepJson,
  sqlOf,
  startModelFarm,
  startProxy,
} from '../harness/model-farm.ts';
import { delta } from '../harness/paid-model.ts';
import { buildSkep, until } from '../harness/process.ts';
import { hang, type ModelRequest, startScriptedModel } from '../harness/scripted-model.ts';
import { filesWith, secretsIn, whoseEnvironmentHas } from '../harness/secrets.ts';
import { makeRepository } from '../harness/worker.ts';
import { cardOf } from '../samples/cards.ts';
import { hostileModelFiles } from '../samples/hostile-models.ts';
import { closedModels, weather } from '../samples/weather.ts';
import { expectInOrder } from '../scenarios/build/clean.ts';
import { fileOn, filesOn } from '../scenarios/build/published.ts';
import { runsOf, settled, startStory, type Story } from '../scenarios/build/story.ts';

beforeAll(buildSkep, 120_000);
afterEach(endModelFarms);

const timeout = 90_000;

test('a cap of $0.50 holds 20 tickets that are worked on at once, and all go on from their work once it is raised', {
  timeout,
}, async () => {
  const { farm, provider, till } = await startModelFarm();
  const calls = 10;
  const arrive = gathering(20);
  provider.answer(request => till.answer(request, { before: [{ until: arrive(titleIn(request)) }] }));
  const story = await begin(farm, { calls, isPatient: true }, 20);
  await skepJson(farm, 'budget', 'set', '--project', await projectName(farm), '--usd', '0.50');
  for (const name of ['left', 'right']) farm.worker(name, { slots: 10 });
  const stopped = await settled(farm, story, timeout);

  const { usd: paid } = till;
  expect(paid).toBeGreaterThan(0.45);
  expect(paid).toBeLessThan(0.51);
  const [budget] = await budgetsOf(farm);
  expect(budget).toMatchObject({ cap_usd: '0.50', reserved_usd: '0.00', level: 'spent' });
  const spent = Number(budget?.spent_usd);
  expect(spent).toBeLessThanOrEqual(0.5);
  // Each call is rounded up to a whole millionth.
  expect(spent - paid).toBeGreaterThanOrEqual(-1e-9);
  expect(spent - paid).toBeLessThan(till.calls / 1_000_000);
  const waiting = stopped.tickets.filter(({ status }) => status === 'waiting');
  expect(waiting.length).toBeGreaterThan(10);
  const parked = (await runsOf(farm)).filter(({ state }) => state === 'parked');
  expect(parked).toHaveLength(waiting.length);
  for (const run of parked)
    expect(String((await farm.call('GET', `/api/runs/${run.id}/log`)).body['text'])).toMatch(/^402 .*\$0\.50/);
  expect(await costs(farm)).toMatchObject({
    calls: provider.requests.length,
    failed_calls: 0,
    lost_calls: 0,
    open_calls: 0,
    cost_usd: budget?.spent_usd,
  });

  const questions = await pendingQuestions(farm);
  expect(questions.map(({ kind, subject_id }) => [kind, subject_id])).toEqual([['budget', budget?.id]]);
  await skepJson(farm, 'question', 'answer', String(questions[0]?.id), 'raise:2.00');
  await until('all that was parked goes on', async () => ((await runsOf(farm, '&state=parked')).length === 0 ? true : undefined));
  const { session, tickets, trunk } = await settled(farm, story, timeout);
  expect([session.state, tickets.map(({ status }) => status)]).toEqual(['completed', tickets.map(() => 'completed')]);
  const lines = tickets.map(({ id }) => fileOn(story.repository, trunk.branch, `work/${id}.txt`)?.split('\n') ?? []);
  expect(lines.map(each => each.map(line => line.replace(/^.*, /, '')))).toEqual(
    tickets.map(() => Array.from({ length: calls }, (_, call) => `call ${call}`)),
  );
  expect(lines.filter(each => each[0]?.startsWith('attempt 1,') && each.at(-1)?.startsWith('attempt 2,'))).toHaveLength(
    waiting.length,
  );
  expect(provider.requests).toHaveLength(20 * calls);
  expect(await costs(farm)).toMatchObject({ calls: 20 * calls, failed_calls: 0, lost_calls: 0, open_calls: 0 });
  await expectInOrder(farm);
});

test('a zombie: its run token is worth nothing 2 s after its lease was taken back, and its streams are cut', {
  timeout,
}, async () => {
  const { farm, provider, till } = await startModelFarm({ SKEP_LEASE_MS: '2000', SKEP_HEARTBEAT_MS: '500' });
  const drip = Array.from({ length: 600 }, () => [delta('drip '), { waitMs: 50 }]).flat();
  provider.answer(request => (request.body['stream'] === true ? { parts: drip } : till.answer(request)));
  const story = await startStory(farm, { repository: makeRepository({}), agent: modelAgent('haunt'), card: cardOf(1, 'loose') });
  const worker = farm.worker('zombie');
  await provider.until(requests => requests.some(({ body }) => body['stream'] === true) && till.calls >= 3);
  const token = /skeprun_[\w-]+/.exec(provider.requests[0]?.text ?? '')?.[0] ?? '';
  const [run] = await runsOf(farm, '&state=working');
  const ask = (stream: boolean) =>
    fetch(`${farm.url}/gateway/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
      body: JSON.stringify({ model: 'local/m', stream, max_tokens: 800, messages: [{ role: 'user', content: 'outside' }] }),
    });
  const direct = await ask(true);
  expect(direct.status).toBe(200);
  const end = endOf(direct);
  const streams = () => provider.requests.filter(({ body }) => body['stream'] === true);
  const left = provider.until(() => streams().length === 2 && streams().every(({ isLeft }) => isLeft)).then(() => Date.now());

  await worker.kill('SIGSTOP');
  const answered: { at: number; status: number }[] = [];
  await until('the token is refused', async () => {
    const at = Date.now();
    const { status } = await ask(false);
    answered.push({ at, status });
    return status === 401 ? true : undefined;
  });
  const lost = await until('the run is lost', async () => {
    const events = await allEvents(farm);
    return events.find(({ type, subject }) => type === 'run.lost' && subject.id === run?.id);
  });
  const lostAt = Date.parse(lost.at);
  expect(answered.filter(({ status }) => status === 200).length).toBeGreaterThan(3);
  expect(answered.map(({ status }) => status)).toEqual([...answered.slice(1).map(() => 200), 401]);
  expect(answered.at(-1)?.at).toBeLessThan(lostAt + 2_000);
  expect((await end).text).not.toContain('[DONE]');
  expect((await end).at).toBeLessThan(lostAt + 2_000);
  expect(await left).toBeLessThan(lostAt + 2_000);
  const served = provider.requests.length;
  expect([(await ask(false)).status, (await ask(true)).status]).toEqual([401, 401]);

  await worker.kill('SIGCONT');
  await worker.line(line => line['event'] === 'lost' && line['run_id'] === run?.id);
  const { session, trunk } = await settled(farm, story);
  expect(session.state).toBe('completed');
  expect(filesOn(story.repository, trunk.branch)).toEqual(['honest.txt']);
  expect((await runsOf(farm)).map(({ attempt, state }) => `${attempt} ${state}`).toSorted()).toEqual(['1 lost', '2 accepted']);
  expect((await ask(false)).status).toBe(401);
  expect(provider.requests).toHaveLength(served);
  expect(await costs(farm)).toMatchObject({ calls: served, lost_calls: 0, open_calls: 0 });
  await expectInOrder(farm);
});

test('no sandbox, process list, log, event or file has a key, or a token that is not its own', { timeout }, async () => {
  const { farm, provider, till, key } = await startModelFarm({ SKEP_LOG_LEVEL: 'debug' });
  let claims = '';
  const proxy = await startProxy(farm.url, (path, chunk) => void (claims += path === '/api/claim' ? chunk : ''));
  let wanted = 'wait';
  provider.answer(request => till.answer(request, { text: wanted }));
  const repository = makeRepository({ 'canary.txt': 'canary-of-the-repository\n' });
  const story = await startStory(farm, { repository, agent: modelAgent('search'), card: cardOf(1, 'loose') });
  const worker = farm.worker('watched', { url: proxy, env: { SKEP_LOG_LEVEL: 'debug' } });
  await provider.until(requests => requests.length > 0);
  const [, run = ''] = /I have (skeprun_[\w-]+)/.exec(provider.requests[0]?.text ?? '') ?? [];
  const [, lease = ''] = /"lease":\{"token":"([^"]+)"/.exec(claims) ?? [];
  expect([run.length, lease.length].map(length => length > 20)).toEqual([true, true]);
  const secrets = { key, admin: farm.token, lease, run };

  const processes = execFileSync('ps', ['axww', '-o', 'args='], { encoding: 'utf8' });
  expect(processes).toContain('/skep/inside/host.mjs');
  expect(secretsIn(processes, secrets)).toEqual([]);
  expect([key, farm.token, lease].map(whoseEnvironmentHas)).toEqual([[farm.server.pid], [worker.pid], []]);

  const halves = Object.entries({ ...secrets, canary: 'canary-of-the-repository' });
  wanted = JSON.stringify(Object.fromEntries(halves.map(([name, text]) => [name, [text.slice(0, 9), text.slice(9)]])));
  const { tickets } = await settled(farm, story);
  expect(tickets.map(({ status }) => status)).toEqual(['completed']);
  const [searched] = await runsOf(farm, `&ticket_id=${tickets[0]?.id}`);
  const { seen, found } = (await farm.call('GET', `/api/runs/${searched?.id}/log`)).body as unknown as Searched;
  expect(seen.processes).toBeGreaterThan(1);
  expect(seen.mounts).toBeGreaterThan(5);
  expect(seen.ownFiles).toBeGreaterThan(5);
  expect(seen.files).toBeGreaterThan(200);
  expect(Object.keys(found).toSorted()).toEqual(['canary', 'run']);
  expect(found['canary']).toContainEqual(expect.stringMatching(/canary[.]txt$/));
  expect(found['run']?.filter(place => !/^(process\.env|\/proc\/\d+\/environ)$/.test(place))).toEqual([]);

  const events = JSON.stringify(await allEvents(farm));
  await worker.kill('SIGTERM');
  await farm.server.kill('SIGTERM');
  const logs = [(await worker.ended).stderr, (await farm.server.ended).stderr];
  expect(logs.join('').length).toBeGreaterThan(100);
  expect(secretsIn([events, ...logs, JSON.stringify(worker.lines)].join('\n'), secrets)).toEqual([]);
  expect(Object.values(secrets).map(secret => filesWith(secret, [farm.home, repository]))).toEqual([[], [], [], []]);
});

interface Searched {
  readonly seen: Readonly<Record<'files' | 'ownFiles' | 'bytes' | 'processes' | 'mounts', number>>;
  /** Places by the name of what was found there. */
  readonly found: Readonly<Record<string, readonly string[]>>;
}

test('what a repository, an environment or an agent says of other providers leads nowhere', { timeout }, async () => {
  const trap = await startScriptedModel();
  trap.answer({ parts: ['{}'] });
  const bases = ['ANTHROPIC_BASE_URL', 'OPENAI_BASE_URL', 'OPENAI_API_BASE', 'GEMINI_BASE_URL'];
  const env = Object.fromEntries(bases.map(name => [name, `${trap.url}/v1`]));
  const { farm, provider, till, key } = await startModelFarm(env);
  provider.answer(request => till.answer(request));
  const repository = makeRepository(hostileModelFiles(trap.url));
  const headers = {
    'x-base-url': trap.url,
    'x-forwarded-host': new URL(trap.url).host,
    'x-forwarded-proto': 'http',
    forwarded: `host=${new URL(trap.url).host}`,
    'x-api-base': trap.url,
    'openai-organization': 'evil',
  };
  const vain = [{ base_url: `${trap.url}/v1` }, { api_base: `${trap.url}/v1` }, { api_key: 'evil' }, { model: `${trap.url}/v1` }];
  const agent = modelAgent('ask', { calls: 4, headers, vain });
  const checks = [{ name: 'test', command: ['npm', 'test'] }];
  const story = await startStory(farm, { repository, agent, checks, card: cardOf(2, 'loose') });
  farm.worker('led', { slots: 2, env });
  const { session } = await settled(farm, story);
  expect(session.state).toBe('completed');
  expect(provider.requests.map(({ headers: { authorization } }) => authorization)).toEqual(
    Array.from({ length: 8 }, () => `Bearer ${key}`),
  );
  expect(
    provider.requests.flatMap(request => Object.keys(request.headers)).filter(name => /^x-|forwarded|openai/.test(name)),
  ).toEqual([]);
  expect(trap.requests).toEqual([]);
  await fetch(trap.url);
  expect(trap.requests).toHaveLength(1);
  await trap.close();
});

test('the weather of a provider is ridden out, and where it cannot be the run says why', { timeout }, async () => {
  const { farm, provider, till, key } = await startModelFarm({ SKEP_RETRY_MS: '0', SKEP_ATTEMPTS_MAX: '2' });
  const heardAt: number[] = [];
  const skies = weather(key);
  provider.answer(request => {
    const name = String(request.body['model']);
    if (name === 'limited') heardAt.push(Date.now());
    return skies[name]?.shift() ?? till.answer(request);
  });
  const agent = modelAgent('ask', { calls: 2, modelIsTitle: true });
  const repository = makeRepository({ 'README.md': 'hello\n' });
  const beginOf = (names: readonly string[], model: string) =>
    startStory(farm, {
      ...{ repository, agent: { ...agent, model } },
      card: { name: names.join(' '), features: names.map(name => ({ title: `local/${name}` })) },
    });
  const stories = [
    await beginOf(
      Object.keys(skies).filter(name => !closedModels.some(closed => closed === name)),
      'local/m',
    ),
    // What its own model refuses ends a run; what another one does, which it asks by itself, does not.
    ...(await Promise.all(closedModels.map(name => beginOf([name], `local/${name}`)))),
  ];
  farm.worker('weathered', { slots: 5 });
  const tickets = (await Promise.all(stories.map(story => settled(farm, story)))).flatMap(outcome => outcome.tickets);
  const runs = await runsOf(farm);
  const nameOf = (ticketId: string | null) => tickets.find(({ id }) => id === ticketId)?.title.replace('local/', '') ?? '';
  const counted = tickets.map(({ id, status }) => [
    nameOf(id),
    status,
    runs.filter(run => run.ticket_id === id).length,
    provider.requests.filter(({ body }) => body['model'] === nameOf(id)).length,
  ]);
  expect(counted).toEqual([
    ['limited', 'completed', 1, 3],
    ['failing', 'completed', 1, 4],
    ['overloaded', 'completed', 1, 3],
    ['erring', 'completed', 1, 4],
    // The second attempt goes on after the answer that the first had.
    ['cut', 'completed', 2, 3],
    ['early', 'completed', 2, 3],
    ['stranger', 'completed', 2, 3],
    ['refused', 'failed', 2, 2],
    ['unauthorized', 'failed', 1, 1],
    ['forbidden', 'failed', 1, 1],
  ]);
  expect((heardAt[1] ?? 0) - (heardAt[0] ?? 0)).toBeGreaterThanOrEqual(1_000);
  const failures = runs.flatMap(({ ticket_id, failure_class, failure_message }) =>
    failure_class === null ? [] : [{ name: nameOf(ticket_id), class: failure_class, message: failure_message ?? '' }],
  );
  const why = {
    cut: /broke off: the connection was lost/,
    early: /broke off: it ended before it was whole/,
    unauthorized: /the key in LOCAL_MODEL_KEY for unauthorized \(401\)/,
    forbidden: /the key in LOCAL_MODEL_KEY for forbidden \(403\)/,
    stranger: /403 .*the key in LOCAL_MODEL_KEY for stranger \(401\)/,
    refused: /400 .*longer than the model takes/,
  };
  expect(failures.map(({ name }) => name).toSorted()).toEqual([
    'cut',
    'early',
    'forbidden',
    'refused',
    'refused',
    'stranger',
    'unauthorized',
  ]);
  for (const { name, message } of failures) expect(message).toMatch(why[name as keyof typeof why]);
  expect(
    failures
      .filter(each => each.class === 'model')
      .map(({ name }) => name)
      .toSorted(),
  ).toEqual(['forbidden', 'unauthorized']);
  const asked = await sqlOf<{ calls: number; attempts: number }>(
    farm,
    'select count(*)::int as calls, sum(attempts)::int as attempts from model_calls',
  );
  // Six of the requests were repeats of the gateway's own.
  expect(asked).toEqual([{ calls: 21, attempts: provider.requests.length }]);
  expect(JSON.stringify([await allEvents(farm), tickets, runs])).not.toContain(key);
});

test('a server that is killed in the middle of calls: they count as lost once their runs are over, and the cap holds', {
  timeout,
}, async () => {
  const { farm, provider, till } = await startModelFarm();
  let isKilled = false;
  const isHeld = ({ text }: ModelRequest) => text.includes('call 3');
  provider.answer(request => {
    const reply = till.answer(request);
    if (isKilled || !isHeld(request)) return reply;
    // The whole of it is charged, and its end will never be seen.
    return { parts: [delta('I think that'), hang] };
  });
  await skepJson(farm, 'budget', 'set', '--tenant', '--usd', '0.25');
  const story = await begin(farm, { calls: 6, isPatient: true }, 4);
  farm.worker('steady', { slots: 4 });
  await provider.until(requests => requests.filter(isHeld).length === 4);
  await farm.server.kill('SIGKILL');
  isKilled = true;
  const again = await farm.restart();
  const { session } = await settled(again, story);
  expect(session.state).toBe('completed');
  expect((await runsOf(again)).map(({ attempt }) => attempt)).toEqual([1, 1, 1, 1]);
  expect(provider.requests).toHaveLength(4 * 6 + 4);
  expect(await costs(again)).toMatchObject({ calls: 28, open_calls: 4, lost_calls: 0 });

  // It is noticed when a run has been over for a minute; here that minute has gone by.
  await sqlOf(farm, `update runs set ended_at = ended_at - interval '2 minutes'`);
  await sqlOf(farm, `update model_calls set started_at = started_at - interval '2 minutes'`);
  await until('nothing is reserved any more', async () =>
    (await budgetsOf(again))[0]?.reserved_usd === '0.00' ? true : undefined,
  );
  const lost = await costs(again);
  expect(lost).toMatchObject({ calls: 28, open_calls: 0, lost_calls: 4, failed_calls: 0 });
  expect(Number(lost.cost_usd)).toBeGreaterThanOrEqual(till.usd);

  const stopped = await settled(again, await begin(again, { calls: 20, isPatient: true }, 4));
  expect(stopped.tickets.map(({ status }) => status)).toEqual(Array.from({ length: 4 }, () => 'waiting'));
  expect(till.usd).toBeLessThan(0.26);
  const [budget] = await budgetsOf(again);
  expect(budget).toMatchObject({ reserved_usd: '0.00', level: 'spent' });
  expect(Number(budget?.spent_usd)).toBeLessThanOrEqual(0.25);
  expect(Number(budget?.spent_usd)).toBeGreaterThanOrEqual(till.usd);
  expect(await pendingQuestions(again)).toHaveLength(1);
  await expectInOrder(again);
});

async function endOf(response: Response): Promise<{ at: number; text: string }> {
  let text = '';
  try {
    for await (const bytes of response.body ?? []) text += Buffer.from(bytes).toString();
  } catch {
    // Cut: that is what is looked for.
  }
  return { at: Date.now(), text };
}

async function pendingQuestions({ call }: Farm): Promise<readonly WireQuestion[]> {
  return (await call('GET', '/api/questions?state=pending')).body['questions'] as WireQuestion[];
}

/** A build of `count` tickets that do not wait for each other, each of which asks the model. */
function begin(farm: Farm, options: object, count: number): Promise<Story> {
  const repository = makeRepository({ 'README.md': 'hello\n' });
  return startStory(farm, { repository, agent: modelAgent('ask', options), card: cardOf(count, 'loose') });
}

function titleIn({ text }: ModelRequest): string {
  return /Part \d+/.exec(text)?.[0] ?? '';
}

async function projectName({ call }: Farm): Promise<string> {
  const projects = (await call('GET', '/api/projects')).body['projects'] as { name: string }[];
  return String(projects[0]?.name);
}

async function costs(farm: Farm): Promise<WireCosts['total']> {
  return (await skepJson<WireCosts>(farm, 'cost')).total;
}
