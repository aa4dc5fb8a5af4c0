import type { Question } from '../../../../contract/talk/planning.ts';
import { messageList } from '../../../../contract/sessions.ts';
import { askUnless } from '../../input/ask.ts';
import { printable, styled } from '../../output/text.ts';
import type { Beginning } from '../beginning.ts';
import { isRecorded, recordedNote } from '../recorded.ts';
import type { Idea } from './idea.ts';

interface Answer {
  readonly question: Question;
  readonly text: string;
  readonly by: 'person' | 'default';
}

/** What the clarifier is told: a person's words on a terminal, the defaults where nobody can be asked. */
export async function answerQuestions(beginning: Beginning, { session, project }: Idea): Promise<string> {
  const { context, options, world } = beginning;
  const questions = await openQuestions(beginning, session.id);
  const model = project.planner?.model;
  const isAsked = context.isTerminal && !context.json && options.yes !== true;
  if (context.json) world.out.write(`${JSON.stringify({ event: 'questions', session_id: session.id, questions })}\n`);
  if (isAsked) world.out.write(heading(questions.length, model));
  const answers: Answer[] = [];
  for (const [i, question] of questions.entries()) {
    const of = questions.length === 1 ? '' : `${i + 1} of ${questions.length}  `;
    answers.push(isAsked ? await ask(beginning, question, of) : { question, text: question.default, by: 'default' });
  }
  if (!isAsked) sayDefaults(beginning, { answers, note: recordedNote(model), sessionId: session.id });
  return answers.map(({ question, text }) => `${question.id}: ${question.text}\n${text}`).join('\n\n');
}

/** Those of the newest message that asks. */
async function openQuestions({ steadily }: Beginning, id: string): Promise<readonly Question[]> {
  const { messages } = await steadily(({ client }) => client.request('GET', `/api/hitl/${id}/messages`, { schema: messageList }));
  return messages.findLast(({ questions }) => questions !== null)?.questions ?? [];
}

function heading(count: number, model: string | undefined): string {
  const what = count === 1 ? 'One question' : `${count} questions`;
  const recorded = isRecorded(model) ? ' This is a recorded demo: whatever you answer, it goes on as it was recorded.' : '';
  return `\n${what}${recordedNote(model)}. Enter takes what is suggested.${recorded}\n`;
}

/** A number stands for a suggested answer; anything else is an answer of one's own. */
async function ask({ world, signal }: Beginning, question: Question, of: string): Promise<Answer> {
  const { out } = world;
  const { options, default: suggested } = question;
  const lines = options.map(
    (option, i) => `  ${i + 1}  ${printable(option)}${option === suggested ? styled(out, 'dim', '  (suggested)') : ''}`,
  );
  out.write(`\n${styled(out, 'bold', `${of}${printable(question.text)}`)}\n${lines.map(line => `${line}\n`).join('')}`);
  const said = await askUnless(world, `[${printable(suggested)}] `, signal);
  if (said === '') return { question, text: suggested, by: 'default' };
  const chosen = /^\d{1,2}$/.test(said) ? options[Number(said) - 1] : undefined;
  return { question, text: chosen ?? said, by: 'person' };
}

interface Taken {
  readonly answers: readonly Answer[];
  readonly note: string;
  readonly sessionId: string;
}

function sayDefaults({ world, context, options }: Beginning, { answers, note, sessionId }: Taken): void {
  if (context.json) {
    const given = answers.map(({ question, text, by }) => ({ id: question.id, answer: text, by }));
    world.out.write(`${JSON.stringify({ event: 'answers', session_id: sessionId, answers: given })}\n`);
    return;
  }
  const why = options.yes === true ? '--yes' : 'there is no terminal to ask on';
  const lines = answers.map(({ question, text }) => `  ${printable(question.text)}\n    ${printable(text)}\n`);
  world.out.write(`\nAnswered by what was suggested (${why})${note}:\n${lines.join('')}\n`);
}
