import { tasked } from '../../harness/plans.ts';
import { until } from '../../harness/process.ts';
import { git } from '../../samples/git.ts';
import { byTitle, runsOf, settled, ticketsOf } from '../../scenarios/build/story.ts';
import { reporter, start } from './models.ts';
import { clarifiedSession, inState, recorded, sessionBuilt } from './planner.ts';
import { asked, begin, check, completed, dueNow, heard, post, stamp, type Tale, title } from './story.ts';

const ask = "skep-report ask_human --question 'Which one?' --options this --options that --default this";

/** Something waits longer than it should. */
export const waits: readonly Tale[] = [
  {
    // Nobody answers an agent, which has ended its turn: its own default holds, and it goes on with that.
    name: 'unanswered',
    env: () => ({ SKEP_QUESTION_WAIT_S: '0' }),
    start,
    async play(farm) {
      farm.worker('steady');
      const script = `if [ -z "$SKEP_FEEDBACK" ]; then ${ask}; else ${stamp}; fi`;
      const story = await begin(farm, { script: '', agent: reporter(script), features: [{ title: 'One' }] });
      await settled(farm, story);
      await dueNow(farm, 'questions');
      return completed(farm, story);
    },
  },
  {
    // A person does not answer, and has the ticket begun anew: what was asked is of no interest any more.
    name: 'taken-up',
    start,
    async play(farm) {
      farm.worker('steady');
      const script = `if [ "$SKEP_ATTEMPT" = 1 ]; then skep-report report_blocker --reason 'The key is missing'; else ${stamp}; fi`;
      const story = await begin(farm, { script: '', agent: reporter(script), features: [{ title: 'One' }] });
      const { tickets } = await settled(farm, story);
      await asked(farm);
      await post(farm, `tickets/${byTitle(tickets, 'One').id}/retry`, { anew: true });
      return completed(farm, story);
    },
  },
  {
    // A ticket is not wanted any more while its work is being checked.
    name: 'dropped',
    async play(farm) {
      farm.worker('steady', { slots: 2 });
      const script = `${title} ${stamp}; [ "$title" != Slow ] || echo >slow.txt`;
      const checks = [check('[ ! -e slow.txt ] || sleep 600')];
      const story = await begin(farm, { script, features: [{ title: 'Quick' }, { title: 'Slow' }], checks });
      const { id } = byTitle(await ticketsOf(farm, story), 'Slow');
      await until('the slow one is being checked', async () => {
        const runs = await runsOf(farm, '&state=working');
        return runs.find(run => run.subject_type === 'review' && run.ticket_id === id);
      });
      await post(farm, `tickets/${id}/cancel`, { reason: 'no need' });
      return completed(farm, story);
    },
  },
  {
    name: 'aged',
    env: () => ({ SKEP_QUEUE_AGE_S: '1' }),
    async play(farm) {
      const story = await begin(farm, { script: stamp, features: [{ title: 'One' }] });
      await heard(farm, 'run.aged');
      farm.worker('late');
      return completed(farm, story);
    },
  },
  {
    // The user's repository takes no branch, until it does.
    name: 'unpublished',
    async play(farm) {
      const story = await begin(farm, { script: stamp, features: [{ title: 'One' }] });
      // A hook that refuses would be simpler, and Skep runs none of a repository.
      git(story.repository, 'branch', 'skep/told/by-another');
      farm.worker('steady');
      await heard(farm, 'trunk.stalled');
      git(story.repository, 'branch', '-D', 'skep/told/by-another');
      return completed(farm, story);
    },
  },
  {
    // What it plans serves a requirement that there is not, time and again; a person writes the card.
    name: 'stalled',
    env: () => ({ SKEP_RECORDING: recorded(tasked(3)), SKEP_RETRY_MS: '0' }),
    async play(farm) {
      farm.worker('steady');
      const id = await clarifiedSession(farm);
      await inState(farm, id, ({ planning }) => planning?.state === 'stopped');
      await post(farm, `hitl/${id}/generate-spec`, { spec_card: { name: 'By hand', features: [{ title: 'This' }] } });
      return sessionBuilt(farm, id);
    },
  },
];
