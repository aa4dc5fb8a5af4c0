import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { WireReview } from '../../contract/reviews.ts';
import type { WireRun } from '../../contract/runs.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { chooseSandboxes } from '../../src/providers/sandboxes/choose.ts';
import { mountsIn, sandboxesIn } from '../harness/disks.ts';
import { besideLoopback, startHost, type TestHost } from '../harness/egress.ts';
import { allCompleted } from '../harness/farm.ts';
import { openTill, paidPrice } from '../harness/paid-model.ts';
import { until } from '../harness/process.ts';
import { subjects } from '../harness/sandbox-worker.ts';
import { type ScriptedModel, startScriptedModel } from '../harness/scripted-model.ts';
import { type TestApi, testApi } from '../harness/server.ts';
import { approvedSession, card } from '../harness/story.ts';
import { git, makeRepository, script, startWorker, type TestWorker } from '../harness/worker.ts';

const keyVariable = 'LOCAL_MODEL_KEY';
const home = mkdtempSync(join(tmpdir(), 'skep-providers-'));
let model: ScriptedModel;
let host: TestHost;
let api: TestApi;
let worker: TestWorker | undefined;

beforeAll(async () => {
  model = await startScriptedModel();
  host = await startHost((_request, response) => response.end('from outside\n'), undefined, besideLoopback);
  const models = join(home, 'models.json');
  const local = { kind: 'openai-compatible', base_url: `${model.url}/v1`, key_env: keyVariable };
  writeFileSync(models, JSON.stringify({ providers: { local }, prices: { 'local/m': paidPrice } }));
  process.env[keyVariable] = 'sk-of-the-provider';
  api = await testApi({ SKEP_MODELS: models });
});
afterEach(async () => {
  await worker?.stop({ graceMs: 0 });
  worker = undefined;
});
afterAll(async () => {
  delete process.env[keyVariable];
  await api.stop();
  host.close();
  await model.close();
  rmSync(home, { recursive: true, force: true });
});

const kinds = [
  { name: 'process', folder: 'processes', isolation: 'none' },
  { name: 'oci', folder: 'containers', isolation: 'namespaces' },
] as const;

/** Each by whoever runs this; test/conformance has the table of who can be what. */
const canBe = (name: string): boolean =>
  subjects.some(
    ({ provider, who, possible }) =>
      possible && provider === name && (who === 'root') === (process.geteuid?.() === 0 || name === 'oci'),
  );

describe.each(kinds)('work in sandboxes of $name', ({ name, folder, isolation }) => {
  it.runIf(canBe(name))(
    'is claimed, has its model and its hosts, is checked, and lands',
    async () => {
      const place = join(home, name);
      const sandboxes = chooseSandboxes(name, { home: place, clock: systemClock, log: silentLog });
      worker = await startWorker(api, { token: api.adminToken, folder: join(place, 'worker'), sandboxes });
      expect(worker.changes[0]).toMatchObject({ kind: 'started', sandbox: { provider: name, isolation } });

      const till = openTill();
      model.answer(request => till.answer(request, { text: 'a word of the model' }));
      const call = JSON.stringify({ model: 'local/m', max_tokens: 100, messages: [{ role: 'user', content: name }] });
      const [url, outside] = ['"$SKEP_GATEWAY_URL/v1/chat/completions"', `http://${besideLoopback}:${host.port}`];
      const repository = makeRepository({
        'install.sh': script(`mkdir node_modules && curl -sSf -m 20 ${outside}/setup > node_modules/dependency`),
        'agent.sh': script(
          'set -e',
          `curl -sSf -m 20 -H "authorization: Bearer $SKEP_RUN_TOKEN" -H 'content-type: application/json' -d '${call}' ${url} > said`,
          `curl -sSf -m 20 ${outside}/agent > fetched`,
          'cp node_modules/dependency had',
        ),
        '.gitignore': 'node_modules\n',
      });
      // Files that a check names are what judges the work: a person would have to look at them.
      const looks = 'cat node_modules/dependency && git ls-files -z | xargs -0 cat';
      const checks = [{ name: 'whole', command: ['sh', '-c', looks] }];
      const made = await api.call('POST', '/api/projects', {
        ...{ name, repository, isolation, checks, setup: ['./install.sh'] },
        agent: { kind: 'exec', command: ['./agent.sh'], model: 'local/m' },
        network: [{ host: besideLoopback, port: host.port, private: true }],
      });
      expect(made).toMatchObject({ status: 201 });
      const session = await approvedSession(api, card(name, [{ title: 'the only one' }]), name);
      await api.call('POST', `/api/hitl/${session}/start-build`, { confirmed: true });
      await until('all is completed', allLanded, 60_000);

      const branch = await until('the branch', () =>
        Promise.resolve(git(repository, 'branch', '--list', '--format=%(refname:short)', 'skep/*') || undefined),
      );
      expect(git(repository, 'ls-tree', '-r', '--name-only', branch).split('\n')).toEqual(
        ['.gitignore', 'agent.sh', 'fetched', 'had', 'install.sh', 'said'].toSorted(),
      );
      expect(git(repository, 'show', `${branch}:had`)).toBe('from outside');
      expect(git(repository, 'show', `${branch}:said`)).toContain('a word of the model');
      const reviews = (await api.call('GET', '/api/reviews?limit=100')).body['reviews'] as WireReview[];
      const printed = reviews.flatMap(({ checks: ran }) =>
        (ran ?? []).map(({ outcome, exit_code: code }) => `${outcome} ${code}`),
      );
      expect(new Set(printed)).toEqual(new Set(['exited 0']));
      // The key of the provider is the server's alone; a sandbox had its run's token.
      expect(model.requests.at(-1)?.headers.authorization).toBe('Bearer sk-of-the-provider');

      await worker.stop({ graceMs: 0 });
      expect([sandboxesIn(join(place, folder)), mountsIn(place)]).toEqual([[], []]);
    },
    120_000,
  );
});

/** No run of it may fail on the way, also where the next attempt would do. */
async function allLanded(): ReturnType<typeof allCompleted> {
  const { body } = await api.call('GET', '/api/runs?limit=100');
  const failed = (body['runs'] as WireRun[]).filter(({ state }) => state === 'failed' || state === 'lost');
  if (failed.length > 0) throw new Error(`failed: ${JSON.stringify(failed)}`);
  return await allCompleted(api);
}
