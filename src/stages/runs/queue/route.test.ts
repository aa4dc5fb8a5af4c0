import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Stages, stagesForTests, testSettings } from '../../../../test/harness/stages.ts';
import type { Router } from '../../../../contract/templates/router.ts';
import type { NewTicket } from '../../tickets/verbs.ts';
import { editProject } from '../../../support/projects/index.ts';
import { setRouter } from '../../../support/templates/router.ts';
import { putTemplates } from '../../../support/templates/verbs.ts';
import { modelTargets as targetsOf } from '../../../gateway/index.ts';
import { createBreakerStore } from '../../../gateway/store/breakers.ts';
import type { Upstream, Wire } from '../../../gateway/upstream.ts';
import { failRun, returnClaim } from '../verbs.ts';
import { runsFallenBack } from './place.sql.ts';
import { lookAgain } from './route.ts';

/** Models are named provider/model here, as in the catalog. */
const modelTargets = (name: string) => {
  const [provider = '', model = ''] = name.split('/');
  return [{ provider, model }];
};

let stages: Stages;
beforeEach(async () => {
  stages = await stagesForTests({ ...testSettings, modelTargets });
});
afterEach(() => stages.close());

const put = async (name: string, more: object = {}) => {
  const source = JSON.stringify({ name, agent: { kind: 'exec', command: [name], model: `${name}/m` }, ...more });
  await stages.app(tx => putTemplates(tx, [{ file: name, source }]));
  await stages.drain();
};
const route = async (router: Router | null) => {
  await stages.app(tx => editProject(tx, stages.projectId, { router }));
  await stages.drain();
};
const open = async (type: NewTicket['type']) => {
  const id = await stages.open({ type });
  await stages.drain();
  return id;
};
const runs = () =>
  stages.sql<object>('select subject_id as id, state, template, fallback_of, agent from runs order by created_at, attempt');
const templates = async () =>
  (await stages.sql<{ t: string | null }>('select template as t from runs order by created_at')).map(({ t }) => t);
const told = () =>
  stages.sql(`select payload ->> 'template' as template, payload ->> 'fallbackOf' as of, payload ->> 'why' as why
                from events where type = 'run.routed' order by id`);

const twice = <T>(value: T): T[] => [value, value];

describe('a run is routed', () => {
  test('by the type of its ticket when it is queued, and says by which version', async () => {
    await put('careful');
    await put('quick');
    await route({ routes: [{ types: ['bug'], template: 'careful' }], default: 'quick@1' });
    await open('bug');
    await open('feature');
    expect(await templates()).toEqual(['careful@1', 'quick@1']);
    const events = `select payload ->> 'template' as template from events where type = 'run.queued' order by id`;
    expect(await stages.sql(events)).toEqual([{ template: 'careful@1' }, { template: 'quick@1' }]);
  });

  test('anew while it waits, and no more once it is worked on', async () => {
    await put('careful');
    const [held, waiting] = [await open('bug'), await open('bug')];
    expect(await templates()).toEqual([null, null]);
    await route({ routes: [{ types: ['bug'], template: 'careful' }] });
    expect(await templates()).toEqual(['careful@1', 'careful@1']);
    const claimed = await stages.claim({ ticketId: held });
    await put('careful', { prompt: 'more' });
    expect(await runs()).toMatchObject([
      { id: held, state: 'leased', template: 'careful@1' },
      { id: waiting, state: 'queued', template: 'careful@2' },
    ]);
    // What comes back to the queue by itself goes by what holds now.
    await stages.engine(tx => returnClaim(tx, { runId: claimed?.run.id ?? '', token: claimed?.token ?? '' }, stages.settings));
    expect(await templates()).toEqual(['careful@2', 'careful@2']);
    await route(null);
    expect(await templates()).toEqual([null, null]);
  });

  test('the next attempt by the newest version', async () => {
    await put('careful');
    await route({ routes: [], default: 'careful' });
    const claimed = await stages.claimNew({ type: 'task' });
    await put('careful', { prompt: 'more' });
    const holder = { runId: claimed.run.id, token: claimed.token };
    await stages.engine(tx => failRun(tx, holder, { failureClass: 'agent_failed', message: 'm', settings: stages.settings }));
    await stages.drain();
    expect(await templates()).toEqual(['careful@1', 'careful@2']);
  });

  test('needs a worker that has its agent, not the agent of the project', async () => {
    const source = 'name: other\nagent: { kind: codex, model: o/m }\n';
    await stages.app(tx => putTemplates(tx, [{ file: 'f', source }]));
    await open('bug');
    await route({ routes: [], default: 'other' });
    expect(await stages.claim()).toBeUndefined();
    expect(await runs()).toMatchObject([{ agent: 'codex' }]);
    expect((await stages.claim({ capabilities: ['agent:codex'] }))?.run.template).toBe('other@1');
  });

  test("by the tenant's routes only where the project has neither routes nor an agent", async () => {
    await put('ours');
    await stages.app(tx => setRouter(tx, { routes: [], default: 'ours' }));
    await open('bug');
    expect(await templates()).toEqual([null]);
    await stages.sql('update projects set agent = null');
    await stages.app(tx => setRouter(tx, { routes: [{ types: ['bug'], template: 'ours@1' }] }));
    await stages.drain();
    expect(await templates()).toEqual(['ours@1']);
  });
});

describe('where the breaker of its model is open', () => {
  const store = () => createBreakerStore(stages.database);
  const breaker = async (provider: string, retryMs: number | null) => {
    const key = { tenantId: stages.tenantId, provider, model: 'm' };
    await store().save(key, { state: {}, retryMs, news: retryMs === null ? 'breaker.closed' : 'breaker.opened' });
    await stages.drain();
  };
  const look = () => stages.engine(tx => lookAgain(tx, stages.projectId, stages.settings));
  const minute = 60_000;

  beforeEach(async () => {
    await put('second');
    await put('third');
    await put('first', { fallback: ['second', 'third'] });
    await route({ routes: [], default: 'first' });
  });

  test('what waits, and what is queued, goes to the first that is answered for; and back when it closes', async () => {
    await open('bug');
    await breaker('first', minute);
    await open('task');
    expect(await runs()).toMatchObject(twice({ template: 'second@1', fallback_of: 'first@1' }));
    await breaker('second', minute);
    expect(await templates()).toEqual(['third@1', 'third@1']);
    await breaker('first', null);
    expect(await runs()).toMatchObject(twice({ template: 'first@1', fallback_of: null }));
    const why = 'first/m does not answer: the breaker is open';
    expect((await told()).slice(0, 2)).toEqual(twice({ template: 'second@1', of: 'first@1', why }));
    expect((await told()).slice(-2)).toEqual(twice({ template: 'first@1', of: null, why: null }));
  });

  test('what is worked on stays, and what waits stays where nothing is better', async () => {
    const held = await stages.claimNew({ type: 'bug' });
    await open('bug');
    for (const provider of ['second', 'third', 'first']) await breaker(provider, minute);
    expect(await templates()).toEqual(['first@1', 'first@1']);
    await breaker('third', null);
    expect(await templates()).toEqual(['first@1', 'third@1']);
    expect(held.run.template).toBe('first@1');
  });

  test('when it is time one that waits goes back to look, and the others follow its news', async () => {
    await breaker('first', minute);
    const [first] = [await open('bug'), await open('bug'), await open('bug')];
    await look();
    expect(await templates()).toEqual(['second@1', 'second@1', 'second@1']);
    await breaker('first', 0);
    expect(await templates()).toEqual(['first@1', 'second@1', 'second@1']);
    for (const _ of [1, 2]) await look();
    expect((await stages.claim())?.run).toMatchObject({ subjectId: first, template: 'first@1' });
    await look();
    await open('bug');
    expect(await templates()).toEqual(['first@1', 'second@1', 'second@1', 'second@1']);
    await breaker('first', null);
    expect(await templates()).toEqual(['first@1', 'first@1', 'first@1', 'first@1']);
  });

  test('one that has just failed by it does not look while it waits for its next attempt', async () => {
    await stages.close();
    stages = await stagesForTests({ ...testSettings, modelTargets, retryMs: 60_000 });
    await put('second');
    await put('first', { fallback: ['second'] });
    await route({ routes: [], default: 'first' });
    const { run, token } = await stages.claimNew({ type: 'bug' });
    await breaker('first', 0);
    const holder = { runId: run.id, token };
    await stages.engine(tx => failRun(tx, holder, { failureClass: 'provider', message: 'm', settings: stages.settings }));
    await stages.drain();
    const failed = { id: run.subjectId, state: 'queued', template: 'second@1', fallback_of: 'first@1' };
    expect((await runs())[1]).toMatchObject(failed);
    await look();
    expect((await runs())[1]).toMatchObject(failed);
    // Nor does it keep others from it; and once it could look they still go before it.
    await open('bug');
    expect((await runs())[2]).toMatchObject({ template: 'first@1' });
    await breaker('first', minute);
    await breaker('first', 0);
    await stages.sql(`update runs set due_at = clock_timestamp(), chain = 99 where state = 'queued' and attempt = 2`);
    await look();
    expect(await templates()).toEqual(['first@1', 'second@1', 'first@1']);
  });

  test('of many that wait when it is already time one looks, and all others go to the one that stands in', async () => {
    for (const _ of [1, 2, 3]) await open('bug');
    await breaker('first', 0);
    expect(await templates()).toEqual(['first@1', 'second@1', 'second@1']);
    expect((await stages.claim())?.run.template).toBe('first@1');
    await look();
    expect(await templates()).toEqual(['first@1', 'second@1', 'second@1']);
  });

  test('a provider that does not speak the wire of its agent stands in for nobody', async () => {
    await stages.close();
    const speaking = (name: string, wires: readonly Wire[]): Upstream => ({
      ...{ name, label: name, wires, isRecorded: false },
      open: () => Promise.reject(new Error('nobody is asked')),
    });
    const models = {
      providers: [],
      aliases: new Map([['any', ['first/m', 'second/m']]]),
      prices: new Map(),
      file: 'models.json',
    };
    const upstreams = [speaking('first', ['anthropic']), speaking('second', ['chat', 'responses'])];
    stages = await stagesForTests({ ...testSettings, modelTargets: targetsOf({ models, upstreams }) });
    await put('third');
    for (const kind of ['claude', 'acp'])
      await put(kind, {
        agent: { kind, model: 'any', ...(kind === 'acp' ? { command: ['a'] } : {}) },
        fallback: ['third'],
      });
    await route({ routes: [{ types: ['bug'], template: 'claude' }], default: 'acp' });
    await open('bug');
    await open('task');
    await breaker('first', minute);
    expect(await templates()).toEqual(['third@1', 'acp@1']);
    await breaker('second', minute);
    expect(await templates()).toEqual(['third@1', 'third@1']);
    await breaker('first', null);
    expect(await templates()).toEqual(['claude@1', 'acp@1']);
  });

  test('when it is time and nothing waits the next that is queued looks', async () => {
    await breaker('first', 0);
    await open('bug');
    await open('bug');
    expect(await templates()).toEqual(['first@1', 'second@1']);
  });

  test('that nobody has looked at for ten minutes it counts as closed', async () => {
    await breaker('first', minute);
    const bug = await open('bug');
    const agedBy = async (minutes: number) => {
      await stages.sql(`update breakers set retry_at = clock_timestamp() - make_interval(mins => $1)`, [minutes]);
      await look();
      await open('task');
      return templates();
    };
    expect((await stages.claim({ ticketId: bug }))?.run.template).toBe('second@1');
    expect(await agedBy(9)).toEqual(['second@1', 'first@1']);
    expect(await agedBy(9)).toEqual(['second@1', 'first@1', 'second@1']);
    expect(await agedBy(11)).toEqual(['second@1', 'first@1', 'first@1', 'first@1']);
  });

  test('what has waited with another for a while is found', async () => {
    await breaker('first', minute);
    await open('bug');
    await open('task');
    const found = () => stages.database.enginePool.query(runsFallenBack, [0]);
    expect(await found()).toEqual([{ tenantId: stages.tenantId, id: stages.projectId }]);
    await breaker('first', null);
    expect(await found()).toEqual([]);
  });
});
