import type { Farm } from '../../harness/farm.ts';
import { modelAgent, startModelFarm } from '../../harness/model-farm.ts';
import { whole } from '../../harness/paid-model.ts';
import { until } from '../../harness/process.ts';
import type { Reply } from '../../harness/scripted-model.ts';
import { runsOf, settled } from '../../scenarios/build/story.ts';
import { asked, begin, completed, dueNow, heard, post, shell, stamp, type Tale } from './story.ts';

/** A short lease, so that a death is noticed soon. */
const quick = { SKEP_LEASE_MS: '2000', SKEP_HEARTBEAT_MS: '500', SKEP_RETRY_MS: '0', SKEP_RESTART_COOLDOWN_S: '0' };

/** What all work goes by is changed while there is work: templates, limits, the brake, machines, models, budgets. */
export const fleet: readonly Tale[] = [
  {
    // What waits goes by the template that its project comes to name, and by the next version of it.
    name: 'routed',
    async play(farm) {
      const story = await begin(farm, { script: 'exit 3', features: [{ title: 'One' }], checks: [] });
      await heard(farm, 'run.queued');
      for (const name of ['stamps', 'others']) await putTemplate(farm, name, 'exit 4');
      const router = { routes: [], default: 'stamps' };
      await farm.call('PATCH', `/api/projects/${await projectOf(farm)}`, { router });
      await heard(farm, 'run.routed');
      await putTemplate(farm, 'stamps', stamp);
      await farm.call('PUT', '/api/router', { router });
      await farm.call('DELETE', '/api/templates/others');
      await until('the run waits with the newest', async () => (await runsOf(farm)).find(run => run.template === 'stamps@2'));
      farm.worker('steady');
      return completed(farm, story);
    },
  },
  {
    // All breaks off, so the brake is pulled; a person mends the agent, and what is tried then goes well. Beside that somebody counts how many may run, and takes a token back.
    name: 'storm',
    env: () => ({ ...quick, SKEP_STORM_FAILURES: '1', SKEP_RESTARTS_MAX: '1000' }),
    async play(farm) {
      const { token } = await post(farm, 'tokens', { name: 'for a while', role: 'viewer', expires_in_s: 600 });
      await farm.call('DELETE', `/api/tokens/${(token as { id: string }).id}`);
      const limit = { scope: 'tenant', scope_id: '', runs_max: 1 };
      await farm.call('PUT', '/api/limits', limit);
      farm.worker('steady');
      const story = await begin(farm, { script: 'kill -KILL $$', features: [{ title: 'One' }] });
      await heard(farm, 'brake.pulled');
      await farm.call('PATCH', `/api/projects/${await projectOf(farm)}`, { agent: shell(stamp) });
      await farm.call('DELETE', '/api/limits?scope=tenant&scope_id=');
      await dueNow(farm, 'brakes');
      await completed(farm, story);
      await heard(farm, 'brake.lifted');
      return farm;
    },
  },
  {
    // A person kills a sandbox and has a worker end its work; another worker dies and is missed.
    name: 'machines',
    env: () => ({ ...quick, SKEP_RESTARTS_MAX: '10' }),
    async play(farm) {
      const first = farm.worker('first');
      const script = `[ "$SKEP_ATTEMPT" -gt 1 ] || sleep 600; ${stamp}`;
      const story = await begin(farm, { script, features: [{ title: 'One' }] });
      const run = await until('its agent works', async () =>
        (await runsOf(farm, '&state=working')).find(each => each.subject_type === 'ticket'),
      );
      const sandbox = await until('its sandbox is told of', async () => {
        const { body } = await farm.call('GET', '/api/vms');
        return (body['vms'] as { id: string; run_id: string }[]).find(vm => vm.run_id === run.id);
      });
      await post(farm, `vms/${sandbox.id}/kill`);
      await completed(farm, story);
      await farm.call('POST', '/api/workers/first/drain');
      await heard(farm, 'worker.draining');
      await first.kill('SIGTERM');
      await heard(farm, 'worker.left');
      const second = farm.worker('second');
      await until('the second one is there', async () => {
        const { body } = await farm.call('GET', '/api/workers');
        return (body['workers'] as { name: string }[]).find(({ name }) => name === 'second');
      });
      await second.kill('SIGKILL');
      await heard(farm, 'worker.gone');
      return farm;
    },
  },
  {
    // Its provider fails again and again, until it does not.
    name: 'breaker',
    env: () => ({ SKEP_RETRY_MS: '0', SKEP_RESTART_COOLDOWN_S: '0', SKEP_RESTARTS_MAX: '1000', SKEP_STORM_FAILURES: '1000' }),
    async start(env) {
      const { farm, provider, till } = await startModelFarm({ ...env, SKEP_ATTEMPTS_MAX: '100' });
      let failures = 0;
      provider.answer(request => (failures++ < failuresMax ? { status: 500, parts: ['{}'] } : till.answer(request)));
      return farm;
    },
    async play(farm) {
      farm.worker('steady');
      const agent = modelAgent('ask', { calls: 1, isPatient: true });
      const story = await begin(farm, { script: '', agent, features: [{ title: 'One' }] });
      await heard(farm, 'breaker.opened');
      await completed(farm, story);
      await heard(farm, 'breaker.closed');
      return farm;
    },
  },
  {
    // Nearly spent, which is told, then spent; it is raised, and at last nobody wants it any more.
    name: 'frugal',
    async start(env) {
      const { farm, provider, till } = await startModelFarm(env);
      const first: Reply = { parts: [whole('a dear word', { prompt_tokens: 3_900, completion_tokens: 100 })] };
      provider.answer(first, request => till.answer(request));
      return farm;
    },
    async play(farm) {
      const agent = modelAgent('ask', { calls: 2 });
      const story = await begin(farm, { script: '', agent, features: [{ title: 'One' }] });
      // At the price of this model the first call takes $0.0088 of it: more than 95 %, and no more than is set aside for it.
      const { body } = await farm.call('PUT', '/api/budgets', { scope: 'tenant', scope_id: '', cap_usd: '0.0091' });
      farm.worker('steady');
      await settled(farm, story);
      await heard(farm, 'budget.alerted');
      await post(farm, `questions/${await asked(farm)}/answer`, { answer: 'raise:2.00' });
      await completed(farm, story);
      await farm.call('DELETE', `/api/budgets/${String(body['id'])}`);
      return farm;
    },
  },
];

/** A breaker opens at the fifth in a row. */
const failuresMax = 6;

/** The only one. */
async function projectOf(farm: Farm): Promise<string | undefined> {
  const { body } = await farm.call('GET', '/api/projects');
  const [project] = body['projects'] as { id: string }[];
  return project?.id;
}

async function putTemplate(farm: Farm, name: string, script: string): Promise<void> {
  const source = JSON.stringify({ name, agent: shell(script) });
  await post(farm, 'templates', { documents: [{ source }] });
}
