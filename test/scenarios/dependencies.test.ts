import { rmSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { skep } from '../harness/cli.ts';
import { mountsIn, sandboxesIn } from '../harness/disks.ts';
import { besideLoopback, startHost } from '../harness/egress.ts';
import { allCompleted, allEvents } from '../harness/farm.ts';
import { until } from '../harness/process.ts';
import { type TestApi, testApi } from '../harness/server.ts';
import { approvedSession, card } from '../harness/story.ts';
import { git, makeRepository, script, startWorker, type TestWorker } from '../harness/worker.ts';

let api: TestApi;
let worker: TestWorker;
const home = mkdtempSync(join(tmpdir(), 'skep-dependencies-'));

beforeAll(async () => {
  api = await testApi({ SKEP_RETRY_MS: '400' });
  worker = await startWorker(api, { token: api.adminToken, folder: join(home, 'worker') });
});
afterAll(async () => {
  await worker.stop({ graceMs: 0 });
  await api.stop();
  rmSync(home, { recursive: true, force: true });
});

async function typed(...words: string[]): Promise<string> {
  const { code, out, err } = await skep(words, { env: { SKEP_SERVER: api.url, SKEP_TOKEN: api.adminToken } });
  if (code !== 0) throw new Error(`skep ${words.join(' ')}: ${err}`);
  return out;
}

test('a setup brings its dependencies in once for agents and checks; what a hijacked run does to them no other sees, and none of it lands', async () => {
  let served = 0;
  const registry = await startHost((_request, response) => response.end(`genuine ${++served}\n`), undefined, besideLoopback);
  try {
    const place = `${besideLoopback}:${registry.port}`;
    const repository = makeRepository({
      'package.json': '{}\n',
      'install.sh': script('mkdir -p node_modules/pkg', `curl -sSf -m 20 http://${place}/pkg > node_modules/pkg/index.js`),
      'agent.sh': script(
        'cat node_modules/pkg/index.js > "seen by $SKEP_TICKET_ID"',
        'echo evil > node_modules/pkg/index.js; echo evil > node_modules/evil.js; echo evil > node_modules/pkg/evil.js',
      ),
    });
    const agent = { kind: 'exec', command: ['./agent.sh'] };
    const checks = [
      { name: 'genuine', command: ['sh', '-c', 'ls node_modules node_modules/pkg; cat node_modules/pkg/index.js'] },
    ];
    await api.call('POST', '/api/projects', { name: 'story', repository, agent, checks, network: [{ host: 'elsewhere.test' }] });
    expect(await typed('project', 'set', 'story', '--setup', './install.sh')).toMatch(/^setup +\.\/install\.sh$/m);
    const session = await approvedSession(api, card('story', [{ title: 'one' }, { title: 'two', depends_on: ['one'] }]));
    await api.call('POST', `/api/hitl/${session}/start-build`, { confirmed: true });

    const failed = await until('the setup fails', async () => (await allEvents(api)).find(({ type }) => type === 'run.failed'));
    expect(failed.payload['class']).toBe('setup');
    const shown = await typed('run', 'show', failed.subject.id);
    expect(shown).toContain('The setup command `./install.sh` ended with 22');
    const [, proposed = ''] = / skep (project network allow .*)$/m.exec(shown) ?? [];
    expect(proposed).toBe(`project network allow story ${place}`);
    await typed(...proposed.split(' '), '--private');

    await until('all is completed', () => allCompleted(api));
    expect(served).toBe(1);
    const branch = await until('the branch', () =>
      Promise.resolve(git(repository, 'branch', '--list', '--format=%(refname:short)', 'skep/*') || undefined),
    );
    const names = git(repository, 'ls-tree', '-r', '--name-only', branch).split('\n');
    const seen = names.filter(name => name.startsWith('seen by'));
    expect(names.toSorted()).toEqual(['agent.sh', 'install.sh', 'package.json', ...seen].toSorted());
    expect(seen.map(name => git(repository, 'show', `${branch}:${name}`))).toEqual(['genuine 1', 'genuine 1']);
    const reviews = (await api.call('GET', '/api/reviews?limit=100')).body['reviews'] as {
      id: string;
      checks: { output_tail: string }[];
    }[];
    expect(reviews.length).toBeGreaterThanOrEqual(3);
    for (const { checks: ran } of reviews)
      expect(ran.map(each => each.output_tail)).toEqual(['node_modules:\npkg\n\nnode_modules/pkg:\nindex.js\ngenuine 1\n']);

    await worker.stop({ graceMs: 0 });
    expect([sandboxesIn(join(home, 'worker/sandboxes')), mountsIn(home)]).toEqual([[], []]);
  } finally {
    registry.close();
  }
}, 120_000);
