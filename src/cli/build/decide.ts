import type { WireChange } from '../../../contract/changes.ts';
import { question as questionSchema } from '../../../contract/talk/questions.ts';
import type { WireQuestion } from '../../../contract/talk/questions.ts';
import { isFault } from '../../kernel/fault.ts';
import { approveChange, readDiff, rejectChange, shownDiff } from '../change/decide.ts';
import type { Context, World } from '../context.ts';
import { askUnless } from '../input/ask.ts';
import { printable, styled } from '../output/text.ts';
import { flagLines } from './view/lines.ts';

interface Asking {
  readonly world: World;
  readonly context: Context;
  readonly signal: AbortSignal;
}

/** Asks the person at the terminal about a change that waits for one. What he approves is the head that he was shown. */
async function askAbout(change: WireChange, asking: Asking): Promise<void> {
  const { context, world, signal } = asking;
  const { out } = context;
  const ask = (question: string) => askUnless(world, question, signal);
  const { ticket_id: id, title, head_sha: head } = change;
  out.write(
    `\n${styled(out, 'yellow', `${id} waits for you`)}  ${printable(title)}\n${flagLines(change)
      .map(line => `  - ${line}\n`)
      .join('')}`,
  );
  for (;;) {
    const answer = await ask(`Merge ${head.slice(0, 12)}? y: yes, n: send it back, d: show the diff, l: later [l] `);
    if (/^y(es)?$/i.test(answer)) return tellLate(context, () => approveChange(context, change));
    if (/^n(o)?$/i.test(answer)) {
      const reason = await ask('Why? The next attempt is told: ');
      if (reason !== '') return tellLate(context, () => rejectChange(context, change, reason));
    } else if (/^d(iff)?$/i.test(answer)) {
      out.write(`${shownDiff(out, await readDiff(context, change.id))}\n`);
    } else if (/^(l(ater)?)?$/i.test(answer)) return;
  }
}

/** Somebody else may have decided while the question stood there: then that is so. */
async function tellLate({ err }: Context, act: () => Promise<unknown>): Promise<void> {
  try {
    await act();
  } catch (error) {
    if (!isFault(error) || error.kind.exit !== 4) throw error;
    err.write(`${printable(error.message)}\n`);
  }
}

/** Asks about each head once: whoever has said `later` is not asked again before another one comes. */
export function decider(asking: () => Asking, onAsk: () => void): (change: WireChange) => Promise<void> {
  const asked = new Set<string>();
  return async change => {
    const { context } = asking();
    if (!context.isTerminal || context.json || asked.has(change.head_sha)) return;
    asked.add(change.head_sha);
    onAsk();
    await askAbout(change, asking());
  };
}

/** Asks the person at the terminal what an agent or a spent budget asks; nothing said: later. */
async function putQuestion(question: WireQuestion, { context, world, signal }: Asking): Promise<void> {
  const { out, err, client } = context;
  const { id, ticket_id, text, options, default_answer: suggested } = question;
  const lines = options.map(
    ({ id, label }) => `  ${printable(id)}${id === label ? '' : `  ${styled(out, 'dim', printable(label))}`}\n`,
  );
  const whose = ticket_id === null ? 'A budget waits for you' : `${ticket_id} asks you`;
  out.write(`\n${styled(out, 'yellow', whose)}  ${printable(text, { keepNewlines: true })}\n${lines.join('')}`);
  for (;;) {
    const answer = await askUnless(
      world,
      `Your answer${suggested === null ? '' : ` (default: ${printable(suggested)})`}, l: later [l] `,
      signal,
    );
    if (/^(l(ater)?)?$/i.test(answer)) return;
    try {
      await client.request('POST', `/api/questions/${id}/answer`, { body: { answer }, schema: questionSchema });
      return;
    } catch (error) {
      // An answer that does not fit can be mended; one that comes too late cannot.
      if (!isFault(error) || ![2, 4].includes(error.kind.exit)) throw error;
      err.write(`${printable(error.message)}\n${error.hint === undefined ? '' : `${printable(error.hint)}\n`}`);
      if (error.kind.exit === 4) return;
    }
  }
}

/** Asks each question once. */
export function answerer(asking: () => Asking, onAsk: () => void): (question: WireQuestion) => Promise<void> {
  const asked = new Set<string>();
  return async question => {
    const { context } = asking();
    if (!context.isTerminal || context.json || asked.has(question.id)) return;
    asked.add(question.id);
    onAsk();
    await putQuestion(question, asking());
  };
}
