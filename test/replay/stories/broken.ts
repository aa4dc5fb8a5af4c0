import { until } from '../../harness/process.ts';
import { runsOf, settled } from '../../scenarios/build/story.ts';
import { asked, begin, completed, post, stamp, type Tale } from './story.ts';

/** A short lease, so that a death is noticed soon. */
const quick = { SKEP_LEASE_MS: '2000', SKEP_HEARTBEAT_MS: '500', SKEP_RETRY_MS: '0', SKEP_RESTART_COOLDOWN_S: '0' };

/** Something breaks on the way. */
export const broken: readonly Tale[] = [
  {
    name: 'worker-killed',
    env: () => quick,
    async play(farm) {
      const doomed = farm.worker('doomed', { env: { SKEP_FAILPOINTS: 'before-complete:kill' } });
      const story = await begin(farm, { script: stamp, features: [{ title: 'One' }] });
      await doomed.ended;
      farm.worker('heir');
      return completed(farm, story);
    },
  },
  {
    // Its work is found by the next worker of its machine, and the next attempt goes on from there.
    name: 'rescued',
    env: () => ({ SKEP_RETRY_MS: '0', SKEP_RESTART_COOLDOWN_S: '0' }),
    async play(farm) {
      const doomed = farm.worker('steady');
      const script = `if [ -e half.txt ]; then ${stamp}; else echo half >half.txt; echo written; sleep 600; fi`;
      const story = await begin(farm, { script, features: [{ title: 'One' }] });
      await until('half of the work is there', async () => {
        const run = (await runsOf(farm, '&state=working')).find(each => each.subject_type === 'ticket');
        const log = run === undefined ? undefined : (await farm.call('GET', `/api/runs/${run.id}/log`)).body['text'];
        return String(log).includes('written') ? true : undefined;
      });
      await doomed.kill('SIGKILL');
      farm.worker('steady');
      return completed(farm, story);
    },
  },
  {
    name: 'server-killed',
    env: () => ({ ...quick, SKEP_FAILPOINTS: 'before-land:kill' }),
    async play(farm) {
      farm.worker('steady', { slots: 2 });
      const features = [{ title: 'One' }, { title: 'Two' }, { title: 'Three', depends_on: ['One'] }];
      const story = await begin(farm, { script: stamp, features });
      await farm.server.ended;
      const again = await farm.restart({ SKEP_FAILPOINTS: '' });
      return completed(again, story);
    },
  },
  {
    // Its one attempt fails; a person has it tried again.
    name: 'retried',
    env: () => ({ SKEP_RETRY_MS: '0', SKEP_ATTEMPTS_MAX: '1' }),
    async play(farm) {
      farm.worker('steady');
      const script = `[ "$SKEP_ATTEMPT" -gt 1 ] || exit 3; ${stamp}`;
      const features = [{ title: 'One' }, { title: 'Two', depends_on: ['One'] }];
      const story = await begin(farm, { script, features });
      // Of both tickets the first attempt fails.
      for (const title of ['One', 'Two']) {
        const { tickets } = await settled(farm, story);
        const failed = tickets.find(ticket => ticket.title === title);
        await post(farm, `tickets/${failed?.id}/retry`);
      }
      return completed(farm, story);
    },
  },
  {
    // The agent dies until nobody believes in it any more but a person.
    name: 'asked-after-deaths',
    env: () => ({ ...quick, SKEP_RESTARTS_MAX: '2' }),
    async play(farm) {
      farm.worker('steady');
      const script = `[ "$SKEP_ATTEMPT" -gt 3 ] || kill -KILL $$; ${stamp}`;
      const story = await begin(farm, { script, features: [{ title: 'One' }] });
      await post(farm, `questions/${await asked(farm)}/answer`, { answer: 'again' });
      return completed(farm, story);
    },
  },
  {
    name: 'cancelled',
    async play(farm) {
      farm.worker('busy');
      const features = [{ title: 'One' }, { title: 'Two' }, { title: 'Three', depends_on: ['One'] }];
      const { session } = await begin(farm, { script: 'sleep 600', features });
      await until('an agent works', async () => (await runsOf(farm, '&state=working'))[0]);
      await post(farm, `hitl/${session}/cancel`);
      await until('nothing runs any more', async () => {
        const runs = await runsOf(farm);
        return runs.every(({ state }) => state === 'cancelled' || state === 'accepted') ? true : undefined;
      });
      return farm;
    },
  },
  {
    // Nobody can resolve the conflict of two tickets: one of them fails, and a person gives the whole up.
    name: 'given-up',
    env: () => ({ SKEP_RETRY_MS: '0', SKEP_ATTEMPTS_MAX: '2' }),
    async play(farm) {
      farm.worker('steady', { slots: 2 });
      const script = 'if [ -z "$SKEP_CONFLICT" ]; then echo "$SKEP_TICKET_ID" >line.txt; fi';
      const story = await begin(farm, {
        script,
        features: [{ title: 'Left' }, { title: 'Right' }],
        files: { 'line.txt': 'before\n' },
      });
      await settled(farm, story);
      await post(farm, `hitl/${story.session}/cancel`);
      return farm;
    },
  },
];
