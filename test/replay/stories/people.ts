import { until } from '../../harness/process.ts';
import { makeRepository } from '../../harness/worker.ts';
import { byTitle, settled, ticketsOf } from '../../scenarios/build/story.ts';
import { clarifiedSession, inState, recorded, sessionBuilt } from './planner.ts';
import { begin, check, completed, post, shell, stamp, type Tale, title } from './story.ts';

/** A person has a word in it. */
export const people: readonly Tale[] = [
  {
    // Two changed tests: one is approved, the other is sent back.
    name: 'flagged',
    env: () => ({ SKEP_RETRY_MS: '0' }),
    async play(farm) {
      farm.worker('steady', { slots: 2 });
      const test = 'test $((1 + 1)) = 2\n';
      const mend = 'git checkout --quiet "$(git rev-list --max-parents=0 HEAD)" -- "test_$title.sh"';
      const script = `${title} if [ -z "$SKEP_FEEDBACK" ]; then echo true >"test_$title.sh"; else ${mend}; fi; ${stamp}`;
      const files = { 'test_left.sh': test, 'test_right.sh': test, 'run.sh': 'set -e; for t in test_*.sh; do sh $t; done\n' };
      const checks = [{ name: 'sum', command: ['sh', 'run.sh'] }];
      const story = await begin(farm, { script, files, checks, features: [{ title: 'left' }, { title: 'right' }] });
      const { changes } = await settled(farm, story);
      await post(farm, `changes/${byTitle(changes, 'right').id}/reject`, { reason: 'The sum must be tested.' });
      const left = byTitle(changes, 'left');
      await post(farm, `changes/${left.id}/approve`, { head_sha: left.head_sha });
      return completed(farm, story);
    },
  },
  {
    // A ticket is made to wait for another; what hangs on one that is not wanted is cancelled with it.
    name: 'withdrawn',
    async play(farm) {
      const features = ['Wanted', 'Later', 'Unwanted'].map(each => ({ title: each }));
      const story = await begin(farm, { script: stamp, features: [...features, { title: 'Above', depends_on: ['Unwanted'] }] });
      const idOf = async (wanted: string) => byTitle(await ticketsOf(farm, story), wanted).id;
      await farm.call('PATCH', `/api/tickets/${await idOf('Later')}`, { depends_on: [await idOf('Wanted')], priority: 3 });
      const id = await idOf('Unwanted');
      await post(farm, `tickets/${id}/cancel`, { reason: 'no need', cascade: true });
      farm.worker('steady');
      return completed(farm, story);
    },
  },
  {
    // A result is handed in and accepted while a ticket is still in work, which makes that needless; the first one is refused.
    name: 'found-early',
    async play(farm) {
      farm.worker('steady', { slots: 2 });
      const script = `${title} [ "$title" != Long ] || sleep 600; ${stamp}`;
      const story = await begin(farm, { script, features: [{ title: 'Short' }, { title: 'Long' }] });
      await until('the short one has landed', async () => {
        const { status } = byTitle(await ticketsOf(farm, story), 'Short');
        return status === 'completed' ? true : undefined;
      });
      for (const verdict of [{ valid: false, reason: 'Say more' }, { valid: true }]) {
        const { id } = await post(farm, `specs/${story.spec}/results`, { summary: 'What was wanted is there' });
        await post(farm, `results/${String(id)}/validate`, verdict);
      }
      await until('the long one has ended', async () => {
        const { status } = byTitle(await ticketsOf(farm, story), 'Long');
        return status === 'cancelled' ? true : undefined;
      });
      return farm;
    },
  },
  {
    // The checks are red before anybody has worked, and are left out by a person's word.
    name: 'red-base',
    async play(farm) {
      farm.worker('steady');
      const checks = [check('exit 3'), { name: 'good', command: ['true'] }];
      const story = await begin(farm, { script: stamp, features: [{ title: 'One' }], checks });
      const { trunk } = await settled(farm, story);
      await post(farm, `trunks/${trunk.id}/prepare`, { red_base: 'leave_out' });
      return completed(farm, story);
    },
  },
  {
    name: 'second-card',
    async play(farm) {
      farm.worker('steady');
      const repository = makeRepository({ 'a.txt': 'a\n' });
      await post(farm, 'projects', { name: 'p', repository, agent: shell(stamp), checks: [check('true')] });
      const id = String((await post(farm, 'hitl', { project_name: 'p', description: 'what is wanted' }))['id']);
      await post(farm, `hitl/${id}/generate-spec`, { spec_card: { name: 'First', features: [{ title: 'Not this' }] } });
      await post(farm, `hitl/${id}/reject`, { reason: 'something else was meant' });
      await post(farm, `hitl/${id}/generate-spec`, { spec_card: { name: 'Second', features: [{ title: 'This' }] } });
      return sessionBuilt(farm, id);
    },
  },
  {
    // From an idea: a question is asked and answered, and the spec is planned.
    name: 'planned',
    env: () => ({ SKEP_RECORDING: recorded(), SKEP_RETRY_MS: '0' }),
    async play(farm) {
      farm.worker('steady');
      const id = await clarifiedSession(farm);
      await inState(farm, id, ({ state }) => state === 'reviewing');
      return sessionBuilt(farm, id);
    },
  },
];
