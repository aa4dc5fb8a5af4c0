import { runFailure } from '../../failure.ts';
import type { Sandbox } from '../../sandbox.ts';
import type { NamelessFile } from '../files.ts';
import { gitInside } from './inside.ts';
import type { Answer } from './inside.ts';
import type { Conflict } from './merge.ts';
import { failpoint } from '../../../kernel/failpoint.ts';

export interface Work {
  readonly sandbox: Sandbox;
  readonly branch: string;
  readonly base: string;
  /** The base holds work that is not judged yet: where nothing was added to it, an empty commit says so. */
  readonly baseIsWork?: boolean;
  /** The merge that was begun before the agent came. */
  readonly conflict: Conflict | undefined;
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
 * Commits what the agent left, and brings the branch without what the server has as a git bundle to the host. All git runs inside
 * the sandbox: the host neither runs git on the agent's repository nor opens a file of it. Throws a run failure `no_changes`,
 * `output_limit`, or `agent_failed` where the agent left a repository that git can't work with, or a merge that is none.
 */
export async function collect(work: Work): Promise<Collected> {
  const { sandbox, branch, base, baseIsWork = false, conflict, message, bundle, bundleBytesMax, signal } = work;
  const lines = headerReader();
  let bytes = 0;
  const answer = await gitInside(sandbox, script, {
    args: [branch, base, conflict?.theirs ?? '', message, baseIsWork ? 'work' : ''],
    stdin: (conflict?.files ?? []).map(file => `${file}\0`).join(''),
    signal,
    outputBytesMax: bundleBytesMax + 65_536,
    timeoutMs: collectMsMax,
    onStdout(chunk) {
      if (bytes === 0) failpoint('work-committed');
      const rest = lines.read(chunk);
      bytes += rest.length;
      if (bytes <= bundleBytesMax) bundle.append(rest);
    },
  });
  if (bytes > bundleBytesMax || answer.exit.reason === 'output_limit')
    throw runFailure('output_limit', `The result is too large: its git bundle has more than ${bundleBytesMax} bytes`);
  if (!answer.ok) throw failureOf(answer);
  const [head = '', summary = ''] = lines.lines();
  if (!/^[0-9a-f]{40}([0-9a-f]{24})?$/.test(head)) throw uncollectable('HEAD is no commit');
  return { head, summary: summary.trim().slice(0, 200) };
}

/** Shorter than what a run has for all that comes after its agent: a repository that never answers is the agent's doing, not the machine's. */
const collectMsMax = 300_000;
const noChanges = 93;
const undone = 94;
const markersLeft = 95;

// Prints a line with the head, one with what changed, and the bundle. A diff that fails for another reason than changes makes the
// commit fail too, which then says why. A merge is committed also where it changes nothing.
const script = `
git add --all
if [ -n "$3" ]; then
  left=$(GIT_LITERAL_PATHSPECS=1 xargs -0 -r git grep --cached -I --name-only -E '^(<<<<<<<|>>>>>>>) ' -- || :)
  [ -z "$left" ] || { echo "$left" >&2; exit ${markersLeft}; }
fi
if [ -n "$3" ] && [ -e .git/MERGE_HEAD ] || ! git diff --cached --quiet --no-ext-diff --no-textconv
then git commit --quiet --no-verify --cleanup=whitespace --message="$4"
fi
head=$(git rev-parse --quiet --verify 'HEAD^{commit}') || { echo 'HEAD names no commit' >&2; exit 1; }
if [ -n "$3" ]
then git merge-base --is-ancestor "$3" "$head" && git merge-base --is-ancestor "$2" "$head" || exit ${undone}
fi
if [ "$head" = "$2" ]
then
  [ -n "$5" ] || exit ${noChanges}
  git commit --quiet --no-verify --allow-empty --cleanup=whitespace --message="$4" || exit 1
  head=$(git rev-parse HEAD)
fi
echo "$head"
echo "$(git diff --shortstat --no-ext-diff --no-textconv "$2" "$head" || :)"
git update-ref "refs/heads/$1" "$head"
exec git bundle create --quiet - "refs/heads/$1" "^$2" \${3:+"^$3"}`;

function failureOf({ exit, words }: Answer): Error {
  const code = exit.reason === 'exited' ? exit.code : undefined;
  if (code === noChanges) return runFailure('no_changes', 'The agent ended well but changed nothing');
  if (code === undone) return runFailure('agent_failed', 'The agent was to finish a merge, and the merge was undone');
  if (code === markersLeft) return runFailure('agent_failed', `Conflict markers are left in ${words.replaceAll('\n', ', ')}`);
  return uncollectable(words);
}

function uncollectable(words: string): Error {
  return runFailure('agent_failed', `What the agent left can't be collected: ${words}`);
}

const headerLines = 2;
const headerBytesMax = 4_096;

/** Cuts the first lines off a stream. */
function headerReader(): { read(chunk: Buffer): Buffer; lines(): readonly string[] } {
  let header = Buffer.alloc(0);
  let found: readonly string[] = [];
  let isOver = false;
  return {
    lines: () => found,
    read(chunk) {
      if (isOver) return chunk;
      header = Buffer.concat([header, chunk]);
      const end = endOfLine(header, headerLines);
      if (end === undefined && header.length < headerBytesMax) return Buffer.alloc(0);
      isOver = true;
      found = header
        .subarray(0, end ?? 0)
        .toString('utf8')
        .split('\n');
      return header.subarray(end ?? 0);
    },
  };
}

/** Where the n-th line ends. */
function endOfLine(bytes: Buffer, count: number): number | undefined {
  let at = 0;
  for (let line = 0; line < count; line += 1) {
    const next = bytes.indexOf(0x0a, at);
    if (next < 0) return undefined;
    at = next + 1;
  }
  return at;
}
