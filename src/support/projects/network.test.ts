import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type NetworkRule, networkRulesMax, ruleKey } from '../../../contract/network/rules.ts';
import { query } from '../../../test/harness/database.ts';
import { type TestApi, testApi } from '../../../test/harness/server.ts';

let api: TestApi;
beforeAll(async () => {
  api = await testApi();
});
afterAll(() => api.stop());

let path: string;
let count = 0;
beforeEach(async () => {
  path = `/api/projects/${String((await api.call('POST', '/api/projects', { name: `p${++count}` })).body['id'])}`;
});

const allow = (rule: NetworkRule) => api.call('PUT', `${path}/network`, rule);
const remove = (key: string) => api.call('DELETE', `${path}/network/${encodeURIComponent(key)}`);
const rules = async () => (await api.call('GET', path)).body['network'] as NetworkRule[];

test('of many who change the rules of a project at once, all stand', async () => {
  const [goes, stays] = [
    Array.from({ length: 10 }, (_, i) => ({ host: `goes${i}.example` })),
    Array.from({ length: 10 }, (_, i) => ({ host: `stays${i}.example`, port: 8_443 })),
  ];
  await api.call('PATCH', path, { network: goes });
  const answers = await Promise.all([...stays.map(allow), ...goes.map(({ host }) => remove(host))]);
  expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
  expect((await rules()).map(ruleKey).sort()).toEqual(stays.map(ruleKey).sort());
});

test('a rule takes the place of the one for the same host and port, and of no other', async () => {
  await allow({ host: 'a.example' });
  await allow({ host: 'a.example', port: 8_080 });
  const answer = await allow({ host: 'a.example', methods: ['GET'] });
  const after = [
    { host: 'a.example', port: 8_080 },
    { host: 'a.example', methods: ['GET'] },
  ];
  expect([answer.body['network'], await rules()]).toEqual([after, after]);
  expect((await remove('a.example')).body['network']).toEqual([{ host: 'a.example', port: 8_080 }]);
});

test('one that is not there is not found, and what there is of its host is named', async () => {
  await allow({ host: '[::1]', port: 3_000, private: true });
  expect(await remove('[::1]')).toMatchObject({ status: 404, body: { hint: 'There is [::1]:3000' } });
  expect(await remove('b.example')).toMatchObject({ status: 404, body: { error: 'No rule of the project is for b.example' } });
  expect((await remove('[::1]:3000')).body['network']).toEqual([]);
});

test('one more than there may be is refused, one in the place of another is not', async () => {
  const full = Array.from({ length: networkRulesMax }, (_, i) => ({ host: `h${i}.example` }));
  await api.call('PATCH', path, { network: full });
  expect(await allow({ host: 'more.example' })).toMatchObject({
    status: 400,
    body: { error: expect.stringContaining('at most 100 rules') },
  });
  expect((await allow({ host: 'h0.example', private: true })).status).toBe(200);
  expect(await rules()).toHaveLength(networkRulesMax);
  expect((await allow({ host: 'not a host' })).status).toBe(400);
});

test('each change is an event of the project', async () => {
  await allow({ host: 'a.example' });
  await remove('a.example');
  const events = 'select type, payload from skep.events where subject_id = $1 order by at';
  expect(await query(api.superuserUrl, events, [path.split('/').at(-1)])).toMatchObject([
    { type: 'project.created' },
    { type: 'project.changed', payload: { fields: ['network'] } },
    { type: 'project.changed', payload: { fields: ['network'] } },
  ]);
});
