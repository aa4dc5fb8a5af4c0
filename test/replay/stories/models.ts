import { modelAgent, skepJson, startModelFarm } from '../../harness/model-farm.ts';
import type { Farm } from '../../harness/farm.ts';
import type { ExecAgent } from '../../../contract/projects.ts';
import { settled } from '../../scenarios/build/story.ts';
import { asked, begin, completed, post, stamp, type Tale } from './story.ts';

export async function start(env: Readonly<Record<string, string>>): Promise<Farm> {
  const { farm, provider, till } = await startModelFarm(env);
  provider.answer(request => till.answer(request));
  return farm;
}

/** A script that has a model, and so may report. */
export const reporter = (script: string): ExecAgent => ({ kind: 'exec', command: ['sh', '-c', script], model: 'local/m' });

/** An agent with a model is stopped, or asks. */
export const models: readonly Tale[] = [
  {
    // Parked by its budget, and let go on with more money.
    name: 'budget-spent',
    start,
    async play(farm) {
      const story = await begin(farm, { script: '', agent: modelAgent('ask', { calls: 8 }), features: [{ title: 'One' }] });
      const { body } = await farm.call('GET', '/api/projects');
      const [project] = body['projects'] as { name: string }[];
      await skepJson(farm, 'budget', 'set', '--project', String(project?.name), '--usd', '0.03');
      farm.worker('steady');
      await settled(farm, story);
      await post(farm, `questions/${await asked(farm)}/answer`, { answer: 'raise:2.00' });
      return completed(farm, story);
    },
  },
  {
    // A person is asked and answers while the agent waits; then it cannot go on, and the next attempt is told what it should do.
    name: 'questions',
    start,
    async play(farm) {
      farm.worker('steady');
      const ask = "skep-report ask_human --question 'Which one?' --options this --options that --default this >asked.txt";
      const block = "skep-report report_blocker --reason 'The key is missing'";
      const script = `if [ -z "$SKEP_FEEDBACK" ]; then ${ask} && ${block}; else ${stamp}; fi`;
      const story = await begin(farm, { script: '', agent: reporter(script), features: [{ title: 'One' }] });
      await post(farm, `questions/${await asked(farm)}/answer`, { answer: 'that' });
      await settled(farm, story);
      await post(farm, `questions/${await asked(farm)}/answer`, { answer: 'It lies in the drawer' });
      return completed(farm, story);
    },
  },
];
