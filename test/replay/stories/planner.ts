import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { WireSession } from '../../../contract/sessions.ts';
import type { Farm } from '../../harness/farm.ts';
import { clarified, designed, required, tasked } from '../../harness/plans.ts';
import { tempFolder, until } from '../../harness/process.ts';
import { makeRepository } from '../../harness/worker.ts';
import { check, post, shell, stamp } from './story.ts';

/** What the planner of the recording says; its tasks are what is given. */
export function recorded(tasks: object = tasked()): string {
  const scene = (phase: string, ...objects: object[]) => ({
    match: { subject: 'spec_phase', phase },
    steps: objects.map(object => ({ object })),
  });
  const scenes = [
    // The second time its question has been answered.
    {
      match: { subject: 'spec_phase', phase: 'CLARIFY' },
      steps: [{ expect: 'With colours?', object: clarified() }, { object: clarified('With colours?') }],
    },
    scene('REQUIREMENTS', required()),
    scene('DESIGN', designed()),
    scene('TASKS', tasks),
  ];
  const file = join(tempFolder(), 'recording.json');
  writeFileSync(file, JSON.stringify({ format: 1, name: 'told', priced_as: 'openai/gpt-5-codex', scenes }));
  return file;
}

/** An idea, of which its planner has asked what it wanted to know, and was answered. */
export async function clarifiedSession(farm: Farm): Promise<string> {
  const repository = makeRepository({ 'a.txt': 'a\n' });
  const planner = { model: 'recorded/demo' };
  await post(farm, 'projects', { name: 'p', repository, planner, agent: shell(stamp), checks: [check('true')] });
  const id = String((await post(farm, 'hitl', { project_name: 'p', description: 'a list of things' }))['id']);
  await inState(farm, id, ({ planning }) => planning?.state === 'asking');
  await post(farm, `hitl/${id}/respond`, { message: 'Q1: yes' });
  return id;
}

/** The spec that is there is approved and built. */
export async function sessionBuilt(farm: Farm, id: string): Promise<Farm> {
  await post(farm, `hitl/${id}/approve`);
  await post(farm, `hitl/${id}/start-build`, { confirmed: true });
  await inState(farm, id, ({ state }) => state === 'completed');
  return farm;
}

export function inState(farm: Farm, id: string, isSo: (session: WireSession) => boolean): Promise<true> {
  return until(`session ${id} has come so far`, async () => {
    const { body } = await farm.call('GET', `/api/hitl/${id}`);
    return isSo(body as unknown as WireSession) ? true : undefined;
  });
}
