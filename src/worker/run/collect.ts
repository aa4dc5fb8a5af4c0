import { runFailure } from '../failure.ts';
import type { Sandbox } from '../sandbox.ts';
import type { NamelessFile } from './files.ts';
import { gitInside } from './inside.ts';

export interface Work {
  readonly sandbox: Sandbox;
  readonly branch: string;
  readonly base: string | undefined;
  /** Of the commit that holds what the agent did not commit itself. */
  readonly message: string;
  /** Where the bundle goes on the host. */
  readonly bundle: NamelessFile;
  readonly bundleBytesMax: number;
  readonly signal: AbortSignal;
}

export interface Collected {
  readonly head: string;
  /** Such as `2 files changed, 3 insertions(+)`. */
  readonly summary: string;
}

/**
 * Commits what the agent left, and brings branch and base as a git bundle to the host. All git runs inside the sandbox: the
 * host neither runs git on the agent's repository nor opens a file of it. Throws a run failure `no_changes`, `output_limit`, or
 * `agent_failed` where the agent left a repository that git can't work with.
 */
export async function collect(work: Work): Promise<Collected> {
  const { head, summary } = await commitRest(work);
  if (head === undefined || head === work.base) throw runFailure('no_changes', 'The agent ended well but changed nothing');
  await makeBundle(work, head);
  return { head, summary };
}

// A diff that fails for another reason than changes makes the commit fail too, which then says why.
const commitScript = `
git add --all
git diff --cached --quiet --no-ext-diff --no-textconv || git commit --quiet --no-verify --cleanup=whitespace --file=-
git rev-parse --quiet --verify 'HEAD^{commit}' || { [ -z "$1" ] && exit 0; echo 'HEAD names no commit' >&2; exit 1; }
git diff --shortstat --no-ext-diff --no-textconv "\${1:-$(git hash-object -t tree /dev/null)}" HEAD || :`;

async function commitRest({ sandbox, base = '', message, signal }: Work): Promise<Partial<Collected> & { summary: string }> {
  const answer = await gitInside(sandbox, commitScript, { args: [base], stdin: message, signal });
  if (!answer.ok) throw uncollectable(answer.words);
  const [head = '', summary = ''] = answer.stdout.split('\n');
  if (head === '') return { summary };
  if (!/^[0-9a-f]{40}([0-9a-f]{24})?$/.test(head)) throw uncollectable('HEAD is no commit');
  return { head, summary: summary.trim().slice(0, 200) };
}

const bundleScript = `
git update-ref "refs/heads/$1" "$2"
[ -n "$3" ] || exec git bundle create --quiet - "refs/heads/$1"
exec git bundle create --quiet - "refs/heads/$1" "^$3"`;

async function makeBundle({ sandbox, branch, base = '', bundle, bundleBytesMax, signal }: Work, head: string): Promise<void> {
  let bytes = 0;
  const answer = await gitInside(sandbox, bundleScript, {
    args: [branch, head, base],
    signal,
    outputBytesMax: bundleBytesMax + 65_536,
    onStdout(chunk) {
      bytes += chunk.length;
      if (bytes <= bundleBytesMax) bundle.append(chunk);
    },
  });
  if (bytes > bundleBytesMax || answer.reason === 'output_limit') {
    throw runFailure('output_limit', `The result is too large: its git bundle has more than ${bundleBytesMax} bytes`);
  }
  if (!answer.ok) throw uncollectable(answer.words);
}

function uncollectable(words: string): Error {
  return runFailure('agent_failed', `What the agent left can't be collected: ${words}`);
}
