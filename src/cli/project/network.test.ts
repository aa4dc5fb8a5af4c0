import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { scriptedServer, skep } from '../../../test/harness/cli.ts';
import { plainProject } from '../../../test/harness/plain-project.ts';
import type { Call } from '../../../test/harness/cli.ts';
import type { NetworkRule } from '../../../contract/network/rules.ts';
import { allowCommand } from './network-rule.ts';

const at = '2026-01-02T03:04:05.000Z';
const id = '11111111-2222-4333-8444-555555555555';
const run = '99999999-2222-4333-8444-555555555555';
let network: readonly NetworkRule[] = [];
const demo = () => ({ ...plainProject({ id, name: 'demo' }), network });

function answer({ method, path, body }: Call) {
  if (method === 'PUT') return { json: { ...demo(), network: [body] } };
  if (method === 'DELETE')
    return path.endsWith('/network/b.test%3A8443')
      ? { json: demo() }
      : { status: 404, fault: 'rule_not_found', json: { error: 'No rule is for it' } };
  if (path.startsWith('/api/events')) return { json: eventsOf(refusals) };
  if (path.startsWith(`/api/runs/${run}/artifacts`)) return { json: { artifacts: [] } };
  if (path.startsWith('/api/runs')) return { json: shownRun };
  return { json: path.startsWith(`/api/projects/${id}`) ? demo() : { projects: [demo()] } };
}

let refusals: readonly object[] = [];
const eventsOf = (details: readonly object[]) => ({
  events: details.map(each => ({
    ...{ cursor: 'c', type: 'run.reported', name: 'runOutput', subject: { type: 'run', id: run }, actor: 'worker:w', at },
    payload: { report: 'network.refused', details: each },
  })),
  next: 'c',
});
const shownRun = {
  ...{
    id: run,
    subject_type: 'ticket',
    subject_id: 'TKT-001',
    ticket_id: 'TKT-001',
    project_id: id,
    attempt: 1,
    state: 'accepted',
  },
  ...{ worker: 'w', fence: 1, lease_expires_at: null, health: 'ok', phase: null, failure_class: null, failure_message: null },
  ...{ result: null, created_at: at, leased_at: at, started_at: at, ended_at: at, due_at: at, aged_at: null, continues: null },
};

let server: Awaited<ReturnType<typeof scriptedServer>>;
beforeAll(async () => {
  server = await scriptedServer(answer);
});
beforeEach(() => {
  server.calls.splice(0);
  network = [];
});
afterAll(() => server.close());

const said = (...words: string[]) => skep(['project', 'network', ...words], { env: { SKEP_SERVER: server.url } });
const sent = (): unknown => server.calls.find(({ method }) => method === 'PUT')?.body;

describe('skep project network allow', () => {
  it.each([
    [['registry.example.org'], { host: 'registry.example.org' }, 'registry.example.org'],
    [['Registry.Example.ORG.'], { host: 'registry.example.org' }, 'registry.example.org'],
    [['*.Example.org:8443'], { host: '*.example.org', port: 8443 }, '*.example.org:8443'],
    [['bücher.example'], { host: 'xn--bcher-kva.example' }, 'xn--bcher-kva.example'],
    [['10.0.0.7', '--private'], { host: '10.0.0.7', private: true }, '10.0.0.7, also in a private network'],
    [['[::1]:3000', '--private'], { host: '[::1]', port: 3000, private: true }, '[::1]:3000, also in a private network'],
    [
      ['a.test', '--method', 'post', '--method', 'GET'],
      { host: 'a.test', methods: ['GET', 'POST'] },
      'a.test, plain http only, GET POST',
    ],
    [
      ['a.test', '--credential', 'npm'],
      { host: 'a.test', credential: 'npm' },
      'a.test, plain http only, with the credential npm',
    ],
  ])('%j', async (words, rule, text) => {
    const { code, out } = await said('allow', 'demo', ...words);
    expect([code, sent(), out]).toEqual([0, rule, `allowed from the next run on: ${text}\n`]);
  });

  it('the same again changes nothing, another rule for the host replaces the first', async () => {
    network = [{ host: 'b.test' }, { host: 'a.test', methods: ['GET'] }];
    expect((await said('allow', 'demo', 'a.test', '--method', 'GET')).out).toBe(
      'nothing changed: a.test, plain http only, GET is allowed already\n',
    );
    expect(sent()).toBeUndefined();
    const { out } = await said('allow', 'demo', 'a.test');
    expect(out).toBe('allowed from the next run on: a.test\ninstead of a.test, plain http only, GET\n');
    expect(sent()).toEqual({ host: 'a.test' });
  });

  it.each([
    [['https://a.test'], "'https://a.test' is no host: leave out what stands before and behind the name"],
    [['a.test/path'], 'leave out what stands before and behind'],
    [['user@a.test'], "'user@a.test' is no host"],
    [['a.test:0'], "'a.test:0' is no host"],
    [['a.test:99999'], "'a.test:99999' is no host"],
    [['a.test:x'], "'a.test:x' is no host with a port"],
    [['127.1'], "'127.1' is another way to write the address 127.0.0.1\n  hint: Say 127.0.0.1 where you mean it"],
    [['2130706433'], 'another way to write the address 127.0.0.1'],
    [['*'], "'*' is no host"],
    [['*.org'], "'*.org' is no host: a host is named like registry.example.org"],
    [['a b'], "'a b' is no host"],
    [[''], "'' is no host"],
    [['a..test'], "'a..test' is no host"],
    [['a.test', '--method', 'CONNECT'], 'CONNECT and TRACE cannot be allowed'],
    [['a.test', '--credential', 'A B'], 'a credential is named by small letters'],
  ])('refuses %j before anything is sent', async (words, why) => {
    const { code, err } = await said('allow', 'demo', ...words);
    expect([code, server.calls]).toEqual([2, []]);
    expect(err).toContain(why);
  });
});

describe('skep project network list and remove', () => {
  it('shows the rules, and takes one away', async () => {
    network = [{ host: 'a.test' }, { host: 'b.test', port: 8443, private: true }];
    expect((await said('list', 'demo')).out).toBe(
      'HOST    PORT  METHODS  CREDENTIAL  PRIVATE\na.test  -     -        -           no\nb.test  8443  -        -           yes\n',
    );
    expect((await said('list', 'demo', '--json')).out).toBe(`${network.map(rule => JSON.stringify(rule)).join('\n')}\n`);
    const removed = await said('remove', 'demo', 'B.test:8443');
    expect([removed.code, removed.out]).toEqual([0, 'removed from the next run on: b.test:8443, also in a private network\n']);
    const { code, err } = await said('remove', 'demo', 'b.test');
    expect([code, err]).toEqual([3, expect.stringContaining('No rule is for it')]);
    network = [];
    expect((await said('list', 'demo')).err).toContain('Allow one: skep project network allow');
  });
});

describe('skep run show', () => {
  it('shows what was refused, with the command that allows each', async () => {
    network = [{ host: 'api.test', methods: ['GET'] }];
    const one = { port: 443, method: 'CONNECT', reason: 'host', count: 1 };
    refusals = [
      { ...one, host: 'registry.test' },
      { ...one, host: 'registry.test', count: 12 },
      { ...one, host: 'x.test', port: 8080, method: 'GET' },
      { ...one, host: 'api.test', port: 80, method: 'POST', reason: 'method' },
      { ...one, host: 'api.test', port: 80, method: 'GET', reason: 'address' },
      { ...one, host: 'x.test;rm', port: 443 },
      { ...one, host: 'front.test', reason: 'server_name' },
      { host: 'not a refusal' },
    ];
    const { out } = await skep(['run', 'show', run], { env: { SKEP_SERVER: server.url } });
    const shown = out.slice(out.indexOf('refused')).split('\n');
    expect(shown.map(line => line.replace(/^refused|^ {0,12}/, '').trim()).filter(line => line !== '')).toEqual([
      'registry.test:443 was refused: no rule of the project names it (12 times)',
      'skep project network allow demo registry.test',
      'GET x.test:8080 was refused: no rule of the project names it',
      'skep project network allow demo x.test:8080',
      'POST api.test:80 was refused: the rule of the project does not name this method',
      'skep project network allow demo api.test --method GET --method POST',
      'GET api.test:80 was refused: it leads into a private network or to this machine, and the rule does not allow that',
      'skep project network allow demo api.test --method GET --private',
      'x.test;rm:443 was refused: no rule of the project names it',
      'front.test:443 was refused: the TLS handshake names another host, or none',
    ]);
    const json = JSON.parse((await skep(['run', 'show', run, '--json'], { env: { SKEP_SERVER: server.url } })).out) as {
      refused: readonly { host: string; count: number }[];
    };
    expect(json.refused[0]).toMatchObject({ host: 'registry.test', count: 12 });
  });

  it('names projects so that a shell takes them', () => {
    expect(allowCommand("it's a $(name)", { host: '*.a.test' })).toBe(
      `skep project network allow 'it'\\''s a $(name)' '*.a.test'`,
    );
  });
});
