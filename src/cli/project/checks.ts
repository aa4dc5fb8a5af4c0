import type { Check } from '../../../contract/projects.ts';
import { isolationLevels } from '../../../contract/fleet/sandboxes.ts';
import type { IsolationLevel } from '../../../contract/fleet/sandboxes.ts';
import { checksMax } from '../../../contract/projects.ts';
import { Option } from 'commander';
import type { Command } from 'commander';
import { collect, usage } from '../command.ts';

export interface CheckOptions {
  readonly check?: readonly string[];
  /** False with --no-checks. */
  readonly checks?: boolean;
  readonly findChecks?: boolean;
}

export interface PolicyOptions extends CheckOptions {
  readonly testChanges?: 'ask' | 'allow';
  readonly redBase?: 'refuse' | 'leave-out';
  readonly planner?: string;
  readonly collisions?: 'hold' | 'allow';
  readonly isolation?: IsolationLevel;
  /** False with --no-setup. */
  readonly setup?: string | false;
  readonly label?: readonly string[];
  /** False with --no-labels. */
  readonly labels?: boolean;
}

/** How the work on a project is planned and verified. */
export function withPolicies(command: Command): Command {
  return command
    .option('--planner <model>', 'the model that turns ideas into specs, such as anthropic/claude-sonnet-4-5')
    .option('--check <line>', 'a check for sh that must end with 0; may be repeated; replaces those before', collect)
    .option('--no-checks', 'run none: results are unproven')
    .option('--find-checks', 'look for them in the repository; so it is at first')
    .addOption(
      new Option('--test-changes <policy>', 'whether changes of tests, checks and CI wait for you').choices(['ask', 'allow']),
    )
    .addOption(
      new Option('--red-base <policy>', 'what to do about checks that are red on the base commit').choices([
        'refuse',
        'leave-out',
      ]),
    )
    .addOption(
      new Option('--collisions <policy>', 'whether tickets that touch the same files wait for each other').choices([
        'hold',
        'allow',
      ]),
    )
    .addOption(
      new Option('--isolation <level>', 'the least that its sandboxes must give; namespaces at first').choices(isolationLevels),
    )
    .option('--setup <line>', 'a line for sh that brings the dependencies in, before any agent comes (docs/dependencies.md)')
    .option('--no-setup', 'nothing is brought in; so it is at first')
    .option('--label <label>', 'what a machine must have for it; may be repeated; replaces those before', collect)
    .option('--no-labels', 'any machine will do');
}

/** The fields of the project that were given; none where nothing was said. */
export function policiesGiven({
  testChanges,
  redBase,
  planner,
  collisions,
  isolation,
  setup,
  ...options
}: PolicyOptions): object {
  const checks = checksGiven(options);
  const labels = labelsGiven(options);
  return {
    ...(planner === undefined ? {} : { planner: { model: planner } }),
    ...(checks === undefined ? {} : { checks }),
    ...(testChanges === undefined ? {} : { test_changes: testChanges }),
    ...(collisions === undefined ? {} : { collisions }),
    ...(labels === undefined ? {} : { labels }),
    ...(isolation === undefined ? {} : { isolation }),
    ...(setup === undefined ? {} : { setup: setupGiven(setup) }),
    ...(redBase === undefined ? {} : { red_base: redBase === 'leave-out' ? 'leave_out' : redBase }),
  };
}

/** The setup as it was typed: a line for a shell, or null with --no-setup. */
function setupGiven(setup: string | false): readonly string[] | null {
  if (setup === false) return null;
  const line = setup.trim();
  if (line === '') throw usage('The setup is empty', "Such as: --setup 'npm ci', or --no-setup");
  return shellLine(line);
}

/** Labels as they were typed: a list, empty with --no-labels; undefined where nothing was said. */
function labelsGiven({ label, labels = true }: Pick<PolicyOptions, 'label' | 'labels'>): readonly string[] | undefined {
  if (!labels && label !== undefined) throw usage('Give --label or --no-labels');
  return labels ? label : [];
}

/** Checks as they were typed: a list, empty with --no-checks; null with --find-checks; undefined where nothing was said. */
export function checksGiven({ check = [], checks = true, findChecks = false }: CheckOptions): Check[] | null | undefined {
  const said = [check.length > 0, !checks, findChecks].filter(Boolean).length;
  if (said > 1) throw usage('Give one of --check, --no-checks and --find-checks');
  if (!checks) return [];
  if (findChecks) return null;
  if (check.length === 0) return undefined;
  if (check.length > checksMax) throw usage(`There are ${check.length} checks, and at most ${checksMax} are run`);
  return [...new Set(check.map(line => line.trim()))].map(asCheck);
}

/** A check as a line for a shell, which reads it in the sandbox and nowhere else; its own text is its name. */
function asCheck(line: string): Check {
  if (line === '') throw usage('A check is empty', "Such as: --check 'npm test'");
  const name = line.length > nameMax ? `${line.slice(0, nameMax - 1)}…` : line;
  return { name, command: shellLine(line) };
}

function shellLine(line: string): string[] {
  // shell: checks and the setup are given as lines for sh, which are read in the sandbox and nowhere else
  return ['sh', '-c', line];
}

const nameMax = 200;

/** The line again, where it came from one; otherwise the words. */
export function checkLine({ command }: Pick<Check, 'command'>): string {
  const [shell, option, line] = command;
  if (shell === 'sh' && option === '-c' && line !== undefined && command.length === 3) return line;
  return command.map(word => (/^[\w@%+=:,./-]+$/.test(word) ? word : JSON.stringify(word))).join(' ');
}
