import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { skep } from '../harness/cli.ts';
import { besideLoopback, certificateFor, startHost } from '../harness/egress.ts';
import { allCompleted, allEvents, type EventView, type Farm, startFarm, untiring } from '../harness/farm.ts';
import { buildSkep, endAll, tempFolder, until } from '../harness/process.ts';
import { approvedSession, card } from '../harness/story.ts';
import { makeRepository, script } from '../harness/worker.ts';

beforeAll(buildSkep);
afterEach(endAll);

const key = 'k3y-of-the-operator';

const refusalsIn = (events: readonly EventView[]) =>
  events
    .filter(({ type, payload }) => type === 'run.reported' && payload['report'] === 'network.refused')
    .map(({ subject, payload }) => ({
      run: subject.id,
      ...(payload['details'] as { host: string; port: number; reason: string }),
    }));

/** As a person types it. */
async function typed(farm: Farm, words: readonly string[]): Promise<string> {
  const { code, out, err } = await skep([...words, '--server', farm.url], { env: { SKEP_TOKEN: farm.token } });
  if (code !== 0) throw new Error(`skep ${words.join(' ')}: ${err}`);
  return out;
}

/** The command that `skep run show` proposes, as words. */
function proposalIn(shown: string): readonly string[] | undefined {
  return / skep (project network allow .*)$/m.exec(shown)?.[1]?.split(' ');
}

const another = '127.0.0.3';

test('an agent reaches what is allowed; what is refused a person allows by the command that is proposed, and the next run reaches it', async () => {
  const [first, second] = [
    await startHost(answerer('one'), undefined, besideLoopback),
    await startHost(answerer('two'), undefined, another),
  ];
  try {
    // No attempt is the last one, and there is time to allow between two of them.
    const farm = await startFarm({ ...untiring, SKEP_RETRY_MS: '500' });
    farm.worker('one');
    const agent = script(
      `curl -sSf -m 20 http://${besideLoopback}:${first.port}/ > one.txt || exit 1`,
      `curl -sSf -m 20 http://${another}:${second.port}/ > two.txt || exit 1`,
    );
    const network = [{ host: besideLoopback, port: first.port, private: true }];
    const exec = { kind: 'exec', command: ['./agent.sh'] };
    const project = { name: 'story', repository: makeRepository({ 'agent.sh': agent }), agent: exec, checks: [] };
    const bad = await farm.call('POST', '/api/projects', { ...project, network: [{ host: 'http://a.test' }] });
    expect([bad.status, JSON.stringify(bad.body)]).toEqual([400, expect.stringContaining('a host is named like')]);
    const made = await farm.call('POST', '/api/projects', { ...project, network });
    expect(made.body['network']).toEqual(network);
    const session = await approvedSession(farm, card('story', [{ title: 'fetch' }]));
    await farm.call('POST', `/api/hitl/${session}/start-build`, { confirmed: true });

    const unknown = await until('a refusal', async () => refusalsIn(await allEvents(farm))[0]);
    expect(unknown).toMatchObject({ host: another, port: second.port, method: 'GET', reason: 'host' });
    const words = proposalIn(await typed(farm, ['run', 'show', unknown.run]));
    expect(words).toEqual(['project', 'network', 'allow', 'story', `${another}:${second.port}`]);
    await typed(farm, words ?? []);

    // The name is allowed now, and leads where a rule must say that it may.
    const inward = await until('another', async () =>
      refusalsIn(await allEvents(farm)).find(({ reason }) => reason === 'address'),
    );
    expect(inward.run).not.toBe(unknown.run);
    const more = proposalIn(await typed(farm, ['run', 'show', inward.run]));
    expect(more).toEqual([...(words ?? []), '--private']);
    expect(second.seen).toEqual([]);
    await typed(farm, more ?? []);
    expect(await typed(farm, more ?? [])).toMatch(/^nothing changed: /);

    await until('the ticket completed', () => allCompleted(farm));
    expect(second.seen.length).toBeGreaterThan(0);
    expect(new Set(refusalsIn(await allEvents(farm)).map(({ reason }) => reason))).toEqual(new Set(['host', 'address']));
  } finally {
    first.close();
    second.close();
  }
}, 120_000);

test("a key of the worker's operator goes along, and is nowhere in the sandbox, the events and the log", async () => {
  const certificate = certificateFor('x.test', '127.0.0.2');
  const heard: (string | undefined)[] = [];
  const host = await startHost(
    (request, response) => {
      heard.push(request.headers.authorization);
      response.end(`you are ${request.headers.authorization ?? 'nobody'}\n`);
    },
    certificate,
    besideLoopback,
  );
  try {
    const farm = await startFarm();
    const home = join(farm.home, 'workers', 'keyed');
    mkdirSync(home, { recursive: true });
    const entry = { hosts: [besideLoopback], header: 'authorization', value_env: 'DEMO_AUTH', scheme: 'Bearer' };
    writeFileSync(join(home, 'credentials.json'), JSON.stringify({ demo: entry }));
    const trusted = join(tempFolder(), 'cert.pem');
    writeFileSync(trusted, certificate.cert);
    const lacking = farm.worker('keyed');
    expect(await lacking.ended).toMatchObject({ code: 2, stderr: expect.stringContaining('DEMO_AUTH is not set') });
    farm.worker('keyed', { env: { DEMO_AUTH: key, NODE_EXTRA_CA_CERTS: trusted } });

    const agent = script(
      `curl -sSf -m 20 -H 'Authorization: Bearer stolen' http://${besideLoopback}:${host.port}/ | tee answer.txt`,
      'env > /tmp/env; cat /proc/*/environ /proc/*/cmdline /tmp/env /skep/* 2>/dev/null | grep -ac "k3y-of-the-[o]perator" || true',
    );
    const network = [{ host: besideLoopback, port: host.port, private: true, credential: 'demo' }];
    const exec = { kind: 'exec', command: ['./agent.sh'] };
    await farm.call('POST', '/api/projects', {
      name: 'story',
      repository: makeRepository({ 'agent.sh': agent }),
      agent: exec,
      network,
    });
    const session = await approvedSession(farm, card('story', [{ title: 'fetch' }]));
    await farm.call('POST', `/api/hitl/${session}/start-build`, { confirmed: true });

    const submitted = await until('it is handed in', async () =>
      (await allEvents(farm)).find(({ type }) => type === 'run.submitted'),
    );
    expect(heard).toEqual([`Bearer ${key}`]);
    const log = await fetch(`${farm.url}/api/runs/${submitted.subject.id}/log`, {
      headers: { authorization: `Bearer ${farm.token}` },
    }).then(answer => answer.text());
    expect(log).toBe(`you are ${'*'.repeat(`Bearer ${key}`.length)}\n0\n`);
    expect(JSON.stringify(await allEvents(farm))).not.toContain(key);
  } finally {
    host.close();
  }
}, 120_000);

function answerer(word: string): Parameters<typeof startHost>[0] {
  return (_request, response) => response.end(word);
}
