import { afterEach, beforeAll, expect, test } from 'vitest';
import type { WireRun } from '../../contract/runs.ts';
import { allEvents, type Farm } from '../harness/farm.ts';
import { endModelFarms, modelAgent, startModelFarm } from '../harness/model-farm.ts';
import { buildSkep, until } from '../harness/process.ts';
import { makeRepository } from '../harness/worker.ts';

beforeAll(buildSkep, 120_000);
afterEach(endModelFarms);

const untiring = { SKEP_RETRY_MS: '0', SKEP_RESTART_COOLDOWN_S: '0', SKEP_RESTARTS_MAX: '1000', SKEP_STORM_FAILURES: '1000' };
/** The breaker lets one call through half a minute after it has opened. */
const waitMs = 90_000;

// Nothing is written for the gateway: a provider fails and comes back, and its breaker opens and closes by itself.
test('a model that fails is stood in for by the fallback of its template, and is asked again when it answers', {
  timeout: 240_000,
}, async () => {
  const { farm, provider, till } = await startModelFarm({ ...untiring, SKEP_ATTEMPTS_MAX: '100' });
  let isDown = true;
  provider.answer(request =>
    isDown && request.body['model'] === 'm' ? { status: 500, parts: ['{"error":"down"}'] } : till.answer(request),
  );
  await put(farm, 'second', { model: 'local/n' });
  await put(farm, 'first', { model: 'local/m', fallback: ['second'] });
  const repository = makeRepository({ 'README.md': '# one\n' });
  const router = { routes: [], default: 'first' };
  const made = await farm.call('POST', '/api/projects', { name: 'p', repository, checks: [], router });
  const open = async (title: string) =>
    String((await farm.call('POST', '/api/tickets', { project_id: made.body['id'], title })).body['id']);
  farm.worker('steady');

  const early = await completed(farm, await open('while it fails'));
  expect(early.at(-1)).toMatchObject({ template: 'first@1', state: 'failed', failure_class: 'provider' });
  expect(early[0]).toMatchObject({ template: 'second@1', fallback_of: 'first@1', state: 'accepted' });
  // And once more each time that a look shows it to fail still.
  expect(new Set(await said(farm, 'breaker.opened'))).toEqual(new Set(['local/m']));
  const [later] = await completed(farm, await open('while it is known to fail'));
  expect(later).toMatchObject({ template: 'second@1', fallback_of: 'first@1', state: 'accepted' });

  isDown = false;
  await until(
    'its breaker has closed',
    async () => {
      const [run] = await completed(farm, await open('is it back?'));
      return run?.template === 'first@1' && (await said(farm, 'breaker.closed')).length === 1 ? true : undefined;
    },
    waitMs,
  );
  const [last] = await completed(farm, await open('after it'));
  expect(last).toMatchObject({ template: 'first@1', fallback_of: null, attempt: 1 });
});

async function put(
  farm: Farm,
  name: string,
  { model, ...more }: { readonly model: string; readonly fallback?: readonly string[] },
) {
  const source = JSON.stringify({ name, agent: { ...modelAgent('ask', { calls: 1 }), model }, ...more });
  const answer = await farm.call('POST', '/api/templates', { documents: [{ source }] });
  if (answer.status >= 300) throw new Error(JSON.stringify(answer.body));
}

/** Its runs, newest first, when it is completed. */
function completed(farm: Farm, ticket: string): Promise<readonly WireRun[]> {
  return until(
    `${ticket} is completed`,
    async () => {
      const { body } = await farm.call('GET', `/api/tickets/${ticket}`);
      if (body['status'] !== 'completed') return undefined;
      const runs = (await farm.call('GET', `/api/runs?ticket_id=${ticket}`)).body['runs'] as WireRun[];
      return runs.filter(run => run.subject_type === 'ticket').sort((a, b) => b.attempt - a.attempt);
    },
    waitMs,
  );
}

async function said(farm: Farm, type: string): Promise<string[]> {
  return (await allEvents(farm)).filter(event => event.type === type).map(({ subject }) => subject.id);
}
