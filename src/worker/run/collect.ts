import { runFailure } from '../failure.ts';
import type { Sandbox } from '../sandbox.ts';
import type { NamelessFile } from './files.ts';
import { gitInside } from './inside.ts';
import type { Answer, InsideOptions } from './inside.ts';

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
  await commitRest(work);
  const head = await headOf(work);
  if (head === undefined || head === work.base) throw runFailure('no_changes', 'The agent ended well but changed nothing');
  await git(work, ['update-ref', `refs/heads/${work.branch}`, head]);
  await makeBundle(work);
  return { head, summary: await summaryOf(work, head) };
}

async function commitRest(work: Work): Promise<void> {
  await git(work, ['add', '--all']);
  const staged = await gitInside(work.sandbox, ['diff', '--cached', '--quiet', ...plain], { signal: work.signal });
  if (staged.code === 0) return;
  if (staged.code !== 1) throw broken(staged);
  await git(work, ['commit', '--quiet', '--no-verify', '--cleanup=whitespace', '--file=-'], { stdin: work.message });
}

async function headOf({ sandbox, base, signal }: Work): Promise<string | undefined> {
  const answer = await gitInside(sandbox, ['rev-parse', '--quiet', '--verify', 'HEAD^{commit}'], { signal });
  const [head] = /^[0-9a-f]{40}([0-9a-f]{24})?(?=\n$)/.exec(answer.stdout) ?? [];
  if (head === undefined && base !== undefined) throw broken({ words: `HEAD names no commit: ${answer.words}` });
  return head;
}

async function makeBundle(work: Work): Promise<void> {
  const { bundleBytesMax } = work;
  let bytes = 0;
  const store = (chunk: Buffer): void => {
    bytes += chunk.length;
    if (bytes <= bundleBytesMax) work.bundle.append(chunk);
  };
  const revisions = [`refs/heads/${work.branch}`, ...(work.base === undefined ? [] : [`^${work.base}`])];
  const options = { signal: work.signal, onStdout: store, outputBytesMax: bundleBytesMax + 65_536 };
  const answer = await gitInside(work.sandbox, ['bundle', 'create', '--quiet', '-', ...revisions], options);
  if (bytes > bundleBytesMax || answer.reason === 'output_limit') {
    throw runFailure('output_limit', `The result is too large: its git bundle has more than ${bundleBytesMax} bytes`);
  }
  if (answer.code !== 0) throw broken(answer);
}

/** For people only, so a failure is no matter. */
async function summaryOf({ sandbox, base, signal }: Work, head: string): Promise<string> {
  const range = base === undefined ? ['--root', head] : [base, head];
  const verb = base === undefined ? 'diff-tree' : 'diff';
  const answer = await gitInside(sandbox, [verb, '--shortstat', ...plain, ...range], { signal });
  return answer.code === 0 ? (answer.stdout.trim().split('\n').at(-1) ?? '').trim().slice(0, 200) : '';
}

const plain = ['--no-ext-diff', '--no-textconv'];

async function git(work: Work, args: readonly string[], more: Partial<InsideOptions> = {}): Promise<void> {
  const answer = await gitInside(work.sandbox, args, { signal: work.signal, ...more });
  if (answer.code !== 0) throw broken(answer);
}

function broken({ words }: Pick<Answer, 'words'>): Error {
  return runFailure('agent_failed', `What the agent left can't be collected: ${words}`);
}
