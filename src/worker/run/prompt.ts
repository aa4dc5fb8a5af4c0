import type { AttemptEnd, Claimed } from '../../../contract/runs.ts';
import type { Conflict } from './git/merge.ts';
import { setupLine } from './setup/command-line.ts';

type Given = Pick<Claimed, 'task'> & {
  readonly ticket: NonNullable<Claimed['ticket']>;
  readonly conflict: Conflict | undefined;
} & Partial<Pick<Claimed, 'setup' | 'template'>>;

/** A ticket as words to a coding agent: what is wanted, what was wrong with it last time, and how to end. */
export function promptOf({ ticket, task, conflict, setup = null, template }: Given): string {
  const { id, title, description, acceptance_criteria: criteria } = ticket;
  return [
    'You work on one ticket of a software project, in the git repository that is your current folder.',
    section(`Ticket ${id}: ${title}`, description),
    section('It is done when', criteria.map(each => `- ${each}`).join('\n')),
    section('What was wrong with the last attempt', lastAttempt(task.feedback?.text)),
    section('What people were asked about it', answersText(task.answers)),
    section('Conflicts to resolve', conflictText(conflict)),
    section('How to work', [...rules, ...(setup === null ? [] : [setupRule(setup)])].join('\n')),
    ofTemplate(template),
    section('How to end', howToEnd(template)),
  ]
    .filter(text => text !== '')
    .join('\n\n');
}

/** The words to an agent whose conversation a new sandbox goes on with. */
export function promptAgainOf({ ticket, task, template }: Omit<Given, 'conflict'>): string {
  const { first, heading } = again[task.continues?.ended ?? 'broken_off'];
  return [
    first(`ticket ${ticket.id} (${ticket.title})`),
    section(heading, task.feedback?.text ?? ''),
    section('What you have asked people', answersText(task.answers)),
    'You are in a new sandbox. The current folder has what you had changed until then, committed for you; nothing else of the old sandbox is left, neither files elsewhere nor processes. Look at where you stand, for instance with `git log --stat -1`, and go on. The ticket stands in the file $SKEP_TICKET, should you need it again.',
    ofTemplate(template),
    section('How to end', howToEnd(template)),
  ]
    .filter(text => text !== '')
    .join('\n\n');
}

/** What has become of the work so far, and what stands above what there is to say of that. */
const again: Readonly<Record<AttemptEnd, { readonly heading: string; first(ticket: string): string }>> = {
  broken_off: {
    first: ticket => `You were broken off in the middle of your work on ${ticket}: what you did last may have had no answer.`,
    heading: 'What happened',
  },
  answered: {
    first: ticket => `Your work on ${ticket} was stopped until a person had decided. Now it goes on.`,
    heading: 'What was decided',
  },
  returned: {
    first: ticket => `What you handed in for ${ticket} was checked, and is not good enough yet. Mend it.`,
    heading: 'What was wrong',
  },
};

const rules = [
  '- Read AGENTS.md (or CLAUDE.md, CONTRIBUTING.md) first, where there is one: it says how its people want the work done.',
  '- Look at the code before you change it, and follow its style.',
  "- Run the project's own tests and checks before you end. They are run again on what you leave, without you: work that fails them comes back.",
  '- Do not weaken or remove tests to make them pass.',
  '- Change what the ticket needs and nothing else. Others work on other tickets at the same time.',
  '- You are in a sandbox without a network: nothing can be downloaded or pushed. What you leave in this folder is committed for you.',
  '- Nobody watches: do not wait for a confirmation.',
];

/** What an agent may report at its end, in the order in which it is told of it. */
const reports = [
  {
    tool: 'submit_result',
    words: 'when all of it is done, call submit_result with status "done" and a summary of what you did and how you checked it',
    command: '--status done --summary "What was done, and how it was checked"',
  },
  {
    tool: 'report_blocker',
    words: 'if you cannot go on, call report_blocker and say what stands in the way',
    command: '--reason "What stands in the way"',
  },
  {
    tool: 'ask_human',
    words:
      'if one question to a person would help, call ask_human, and where that says that the answer will come later, end your turn',
    command: '--question "What must be known to go on"',
  },
] as const;

/** `template`: says which of Skep's tools its agent has. */
function howToEnd(template: Given['template']): string {
  const tools = template?.tools ?? null;
  const own = reports.filter(({ tool }) => tools === null || tools.includes(tool));
  if (own.length === 0) return 'When all of it is done, or you cannot go on, say so in your last words and end your turn.';
  const first = own.filter(({ tool }) => tool === 'submit_result').map(({ words }) => words);
  const rest = own.filter(({ tool }) => tool !== 'submit_result').map(({ words }) => words);
  const sentences = [...first, rest.join('; ')]
    .filter(text => text !== '')
    .map(text => `${text[0]?.toUpperCase()}${text.slice(1)}.`);
  const commands = own.map(({ tool, command }) => `  skep-report ${tool} ${command}`);
  return `${sentences.join(' ')} The server "skep" among your tools has these calls. Without such tools use the command skep-report in your shell:
${commands.join('\n')}
Then end your turn.`;
}

function setupRule(setup: readonly string[]): string {
  return `- What the project depends on is here already: ${JSON.stringify(setupLine(setup))} was run before you came. What it has left is not part of your work.`;
}

function ofTemplate(template: Given['template']): string {
  return section(`What the template ${template?.id ?? ''} adds`, template?.prompt ?? '');
}

function section(heading: string, text: string): string {
  return text.trim() === '' ? '' : `## ${heading}\n\n${text.trim()}`;
}

function lastAttempt(feedback: string | undefined): string {
  if (feedback === undefined || feedback.trim() === '') return '';
  return `${feedback.trim()}\n\nThe folder has the work of that attempt: go on from it.`;
}

/** Each question with its answer; the words of people are set in, so that they are no heading of this text. */
export function answersText(answers: Given['task']['answers'] = []): string {
  return answers
    .map(({ question, answer, is_default: isDefault }) => `${inset('Asked', question)}\n${answered(answer, isDefault)}`)
    .join('\n\n');
}

function answered(answer: string | null, isDefault: boolean): string {
  if (answer === null) return 'Nobody has answered in time: decide yourself, and say in the summary what you decided.';
  return inset(isDefault ? 'Nobody has answered in time, so the default holds' : 'A person has answered', answer);
}

function inset(who: string, words: string): string {
  return `${who}: ${words.replaceAll('\n', '\n  ')}`;
}

function conflictText(conflict: Conflict | undefined): string {
  if (conflict === undefined) return '';
  return `The work on this ticket is finished, and a merge of what others did meanwhile was begun and has conflicts in these files:

${conflict.files.map(file => `- ${file}`).join('\n')}

Resolve them so that both sides keep what they meant, remove every conflict marker, and leave the merge to be committed: do not abort it.`;
}
