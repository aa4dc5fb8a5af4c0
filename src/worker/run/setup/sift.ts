import { isFault } from '../../../kernel/fault.ts';
import type { Layer } from '../../dependencies/index.ts';
import { runFailure } from '../../failure.ts';
import { keptPath } from '../../sandbox.ts';
import type { Sandbox } from '../../sandbox.ts';
import { mirrorInside } from '../git/checkout.ts';
import { gitInside } from '../git/inside.ts';

interface Sifting {
  readonly commit: string;
  /** For people. */
  readonly command: string;
  readonly signal: AbortSignal;
}

/** What is left in the workspace. */
type Sifted = Omit<Layer, 'snapshot'>;

/** Files and folders in which nothing of the commit is; a folder counts once, whatever is in it. */
const entriesMax = 1_000;
const listBytesMax = 1_048_576;

/**
 * Leaves in the workspace what a setup command has added, and nothing of the commit nor of git: what it has changed of those is not
 * kept. Git reads the host's own copy of the repository and an index that is made anew, and nothing that the command could write. Throws
 * a run failure `setup` where that cannot be done with what it has left.
 */
export async function sift(sandbox: Sandbox, { commit, command, signal }: Sifting): Promise<Sifted> {
  const args = [mirrorInside, commit, String(entriesMax)];
  const { ok, exit, stdout, words } = await gitInside(sandbox, script, { args, signal, outputBytesMax: listBytesMax }).catch(
    (error: unknown) => {
      throw isFault(error, 'failed') && error.facts['class'] === 'agent_failed'
        ? runFailure('setup', `What the setup command \`${command}\` left can't be kept: its folder cannot be entered any more`)
        : error;
    },
  );
  if (exit.reason === 'output_limit' || (exit.reason === 'exited' && exit.code === tooMany)) {
    throw runFailure(
      'setup',
      `The setup command \`${command}\` left more than ${entriesMax} files beside those of the project: let it write into folders of its own, or name them in .gitignore`,
    );
  }
  if (!ok) throw runFailure('setup', `What the setup command \`${command}\` left can't be kept: ${words}`);
  const end = stdout.indexOf('\n');
  const entries = stdout.slice(end + 1).split('\0');
  const patterns = entries.filter(entry => entry !== '').map(patternOf);
  return { exclude: patterns.map(line => `${line}\n`).join(''), bytes: Number.parseInt(stdout, 10) || 0 };
}

/** What git itself never ends with. */
const tooMany = 93;

// All entries where they are few, else those that the commit does not ignore. What was made read-only is opened first. Where a sandbox is
// a plain process, /tmp is everybody's.
const script = `
own=$(mktemp -d) || exit
trap 'rm -rf -- "$own"' EXIT
rm -rf .git 2> /dev/null || { chmod -R u+rwX .git || :; rm -rf .git; }
empty() { find ${keptPath} -mindepth 1 -delete; }
empty 2> /dev/null || { chmod -R u+rwX ${keptPath} || :; empty; }
export GIT_DIR="$1" GIT_WORK_TREE=. GIT_INDEX_FILE="$own/index"
git read-tree "$2"
max=$3
others() {
  git ls-files -z --others --directory --no-empty-directory "$@" > "$own/others" || exit 1
  [ "$(tr -cd '\\0' < "$own/others" | wc -c)" -le "$max" ]
}
others || others --exclude-standard || exit ${tooMany}
remove() { git ls-files -z --cached | xargs -0 -r rm -rf --; }
remove 2> /dev/null || { chmod -R u+rwX . || :; remove; }
du --summarize --block-size=1 .
cat "$own/others"`;

/** A path as a pattern that matches it and, where it is a folder, all that is in it; also where it has become something else. */
function patternOf(path: string): string {
  const escaped = path
    .replace(/\/$/, '')
    .replace(/[\\*?[\]]/g, '\\$&')
    .replace(/[\u0000-\u001f\u007f]/g, '?')
    .replace(/\ufffd+/g, '*');
  return `/${escaped.replace(/ $/, '\\ ')}`;
}
