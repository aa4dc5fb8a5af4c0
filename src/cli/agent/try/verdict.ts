import { packages } from '../../../providers/agents/install/packages.ts';
import type { Installable } from '../../../providers/agents/install/packages.ts';
import { checkText, isGreen, tail } from '../../build/view/words.ts';
import { readReview } from '../../build/follow/reads.ts';
import type { Context } from '../../world.ts';
import { landed, wantedFile } from './sample.ts';
import type { Places } from './sample.ts';
import type { End } from './timeline.ts';

/** What a try has come to. */
export interface Verdict {
  readonly ok: boolean;
  readonly says: string;
  /** What helps where it is not ok. */
  readonly hint?: string;
  /** What the work has changed, where it was merged. */
  readonly files: readonly string[];
  /** What its checks have said. */
  readonly checks: readonly string[];
}

interface Tried {
  readonly context: Context;
  readonly places: Places;
  readonly branch: string;
}

export async function verdictOf(end: End, { context, places, branch }: Tried): Promise<Verdict> {
  if (end.kind === 'merged') return merged(await landed(places, branch));
  if (end.kind === 'red') {
    const { checks } = await readReview(context, end.reviewId);
    const red = checks.filter(check => !isGreen(check));
    const words = red.flatMap(check => [checkText(check), ...tail(check.output_tail, tailLines)]);
    return no('The agent works with Skep, and what it has handed in is red', { checks: words, hint: hints['red'] });
  }
  if (end.kind === 'base') return no(`The sample could not be made ready: ${end.message}`, { hint: hints['sandbox'] });
  if (end.kind === 'person')
    return no(`The agent works with Skep, and a person is asked: ${end.message}`, { hint: hints['person'] });
  return no(`${end.class}: ${end.message}`, { hint: hints[end.class] ?? hints['agent_failed'] });
}

export function notInstalled(kind: Installable): Verdict {
  return no(`${kind} ${packages[kind].version} is not installed on this machine`, { hint: `skep agent install ${kind}` });
}

const tailLines = 8;

function merged(files: readonly string[]): Verdict {
  const checks = ['sh check.sh passed'];
  if (files.includes(wantedFile)) return { ok: true, says: 'It works with Skep: its work was checked and merged', files, checks };
  const says = `The agent works with Skep, and has not done what the ticket asks for: there is no ${wantedFile}`;
  return { ok: false, says, files, checks, hint: 'Look at what it is told: the ticket comes on stdin and in $SKEP_TICKET' };
}

function no(says: string, more: { readonly checks?: readonly string[]; readonly hint: string | undefined }): Verdict {
  const { checks = [], hint } = more;
  return { ok: false, says, files: [], checks, ...(hint === undefined ? {} : { hint }) };
}

/** By the class of a failure. */
const hints: Readonly<Partial<Record<string, string>>> = {
  agent_failed:
    'What it printed stands above. By hand in the same sandbox: skep project create, skep build, and SKEP_LOG_LEVEL=debug',
  agent_missing:
    'A sandbox has the programs below /usr and the repository. Name the program by a path below this folder (./agent.sh), let it be executable, and name with --with what else it needs',
  agent_died: 'Of its memory and processes a sandbox has only so much: docs/sandbox.md',
  no_changes: 'Its work is what it leaves in its working directory; what .gitignore names does not count',
  timeout: 'Give it longer with --timeout, or look at what it waits for: nothing asks a person, and there is no network',
  unresponsive: 'It has said nothing and done nothing for long: look at what it waits for',
  output_limit: 'It may print or leave only so much: docs/sandbox.md',
  out_of_memory: 'A sandbox has only so much memory: docs/sandbox.md',
  sandbox: 'skep sandbox doctor',
  recording:
    'It does other things than were recorded for the sample. A real model tells more: --model anthropic/claude-sonnet-4-5',
  model: 'Is the name of the model right, and its key set? docs/gateway.md',
  provider: 'The provider does not answer now: try again later, or with another --model',
  quota: 'The limit at the provider is used up: look there, or take another --model',
  blocked: 'It has reported a blocker itself: its reason stands above',
  red: 'What the check printed stands above; the agent is told the same in $SKEP_FEEDBACK at its next attempt',
  person: 'It has reported a blocker, or asked: for the sample nobody needs to be asked, so look at what it is told',
};
