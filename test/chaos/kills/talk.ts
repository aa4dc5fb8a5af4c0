import { isDeepStrictEqual } from 'node:util';
import { query } from '../../harness/database.ts';
import { until } from '../../harness/process.ts';
import { answer, finish, take } from '../hand.ts';
import { answers, key, type Kind, told } from '../projects.ts';
import { patienceMs, type World } from '../world.ts';
import type { Provoke } from './provoke.ts';

/** What a person says by which agents work, and what those tell. */
export const pointsOfWork = ['template-put', 'router-set', 'runs-rerouted', 'transcript-appended'] as const;
export const pointsOfQuestions = [
  'question-asked',
  'question-expired',
  'turn-ended',
  'blocker-reported',
  'answer-committed',
] as const;
/** All of these have a world of their own. */
export const pointsOfTalk = [...pointsOfWork, ...pointsOfQuestions] as const;
type PointOfTalk = (typeof pointsOfTalk)[number];

/** An agent waits for an answer so long, and then ends its turn. */
export const waitS = 2;

/** A ticket whose agent asks; `say` is done, again and again, while its question waits. */
async function asking(world: World, kind: Kind, say: (ticketId: string, questionId: string) => Promise<unknown>): Promise<void> {
  const id = await world.ticket(world.project(kind));
  await completed(world, id, async () => {
    const { body } = await world.ask('GET', `/api/questions?ticket_id=${id}&state=pending`);
    for (const question of body['questions'] as { id: string }[]) await say(id, question.id);
  });
}

async function completed(world: World, id: string, meanwhile: () => Promise<void> = async () => {}): Promise<void> {
  await until(
    `${id} is completed`,
    async () => {
      const { body } = await world.ask('GET', `/api/tickets/${id}`);
      if (body['status'] === 'completed') return true;
      await meanwhile();
      return undefined;
    },
    patienceMs,
  );
}

/** Its agent has ended its turn before anybody answers. */
const answered =
  (kind: Kind, word: string): Provoke =>
  world =>
    asking(world, kind, async (ticketId, questionId) => {
      const { body } = await world.ask('GET', `/api/tickets/${ticketId}`);
      if (body['status'] === 'waiting') await answer(world, questionId, word);
    });

/** Its time is over while its agent still waits; nobody answers. */
const expired: Provoke = world =>
  asking(world, 'curious', (_ticketId, questionId) =>
    query(world.scene().database, 'update questions set due_at = clock_timestamp() where id = $1', [questionId]),
  );

/** All that its agent has told is there, once, and in order. */
const telling: Provoke = async world => {
  const id = await world.ticket(world.project('telling'));
  await completed(world, id);
  const { body } = await world.ask('GET', `/api/runs?ticket_id=${id}&state=accepted`);
  const run = (body['runs'] as { id: string; subject_type: string }[]).find(each => each.subject_type === 'ticket');
  const { body: transcript } = await world.ask('GET', `/api/runs/${run?.id}/transcript`);
  const texts = (transcript['events'] as { type: string; text?: string }[]).filter(({ type }) => type === 'message');
  const heard = texts.map(({ text }) => text?.trim());
  if (!isDeepStrictEqual(heard, told)) throw new Error(`the transcript of ${run?.id} is ${JSON.stringify(heard)}`);
};

let templates = 0;

/** A template is put, work waits by it, and it is put anew: what waits goes by the new one. Each is one version, however often it was sent. */
const routing: Provoke = async world => {
  const name = `stamps-${process.pid}-${++templates}`;
  const put = (prompt: string) => {
    const source = `name: ${name}\nagent: { kind: exec, command: ["true"] }\nprompt: ${prompt}\n`;
    return world.ask('POST', '/api/templates', { documents: [{ source }] });
  };
  await put('first');
  const project = await world.newProject('hand');
  await world.ask('PATCH', `/api/projects/${project}`, { router: { routes: [], default: name } });
  const id = await world.ticket(project);
  await routed(world, id, `${name}@1`);
  await put('second');
  await routed(world, id, `${name}@2`);
  await world.ask('PUT', '/api/router', { router: { routes: [], default: name } });
  const claimed = await take(world, id);
  if (claimed.template?.id !== `${name}@2`) throw new Error(`${id} is worked on by ${claimed.template?.id}`);
  await finish(world, { ticketId: id, claimed });
};

function routed(world: World, id: string, template: string): Promise<true> {
  return until(
    `${id} waits with ${template}`,
    async () => {
      const rows = await query<{ template: string | null }>(
        world.scene().database,
        `select template from runs where ticket_id = $1 and subject_type = 'ticket' and state = 'queued'`,
        [id],
      );
      return rows.some(row => row.template === template) ? true : undefined;
    },
    patienceMs,
  );
}

export const provocationsOfTalk: Readonly<Record<PointOfTalk, Provoke>> = {
  'template-put': routing,
  'router-set': routing,
  'runs-rerouted': routing,
  'transcript-appended': telling,
  'question-asked': answered('curious', answers.given),
  'question-expired': expired,
  'turn-ended': answered('curious', answers.given),
  'blocker-reported': answered('blocked', key),
  'answer-committed': answered('curious', answers.given),
};
