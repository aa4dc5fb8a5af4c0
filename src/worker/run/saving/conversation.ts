import { conversationArtifact } from '../../../../contract/runs.ts';
import { retrying } from '../../../client/index.ts';
import { keptPath } from '../../sandbox.ts';
import type { Sandbox, SandboxExit } from '../../sandbox.ts';
import { openNameless } from '../files.ts';
import type { NamelessFile } from '../files.ts';
import type { Run } from '../run.ts';

/** Packed. One of a day's work has a few megabytes. */
const conversationBytesMax = 32 * 2 ** 20;
const packMsMax = 60_000;
const fetchMsMax = 30_000;
const listBytesMax = 1_048_576;

const packScript = `
cd ${keptPath}
[ -n "$(find . -type f | head -n 1)" ] || exit 93
exec tar --create --gzip --file=- .`;

// Half of a conversation is none: an agent that begins anew must not find it.
const unpackScript = `
cd ${keptPath}
tar --extract --gzip --file=- --no-same-owner --no-same-permissions 2>/dev/null || { find . -mindepth 1 -delete; exit 1; }
exec find . -type f`;

/**
 * Keeps what the agent has said and heard for the run that goes on with it: packed inside the sandbox, so that the host opens no file
 * of it. Never throws, and never longer than what is sent may take: without it the next one begins a new conversation.
 */
export async function saveConversation(run: Run, sandbox: Sandbox): Promise<void> {
  const { lease, tools } = run;
  let file: NamelessFile | undefined;
  try {
    file = openNameless(tools.folder);
    await packConversation(sandbox, file, lease.ending);
    const artifact = { name: conversationArtifact, descriptor: file.descriptor };
    await lease.send((key, call) => tools.protocol.putArtifact(key, artifact, call));
  } catch (error) {
    tools.log.debug({ error: String(error) }, 'the conversation of an agent could not be kept');
  } finally {
    file?.close();
  }
}

/** Throws where there is none, or it can't be packed. */
export async function packConversation(sandbox: Sandbox, file: NamelessFile, signal: AbortSignal): Promise<void> {
  const exit = await sandbox.exec({
    // shell: one command in the sandbox instead of three; the text is ours.
    argv: ['sh', '-ec', packScript],
    timeoutMs: packMsMax,
    outputBytesMax: conversationBytesMax,
    signal,
    onOutput: (stream, chunk) => void (stream === 'stdout' && file.append(chunk)),
  });
  if (!isWell(exit)) throw new Error(`there is none that could be packed: ${JSON.stringify(exit)}`);
}

/**
 * Puts back what the run that this one continues has kept; returns its files, relative to `keptPath`. None where there is nothing, or
 * it can't be had: then the agent begins anew. Throws the signal's reason alone.
 */
export async function restoreConversation(run: Run, sandbox: Sandbox): Promise<readonly string[]> {
  const { continues } = run.claimed.task;
  if (continues === null || !continues.conversation) return [];
  const { tools, signal } = run;
  try {
    // Not in the name of the lease: a refusal says nothing of that.
    const packed = await retrying({ ...tools, signal, elapsedMsMax: fetchMsMax }, () =>
      tools.protocol.conversation(continues.run_id, conversationBytesMax, { signal }),
    );
    return packed === undefined ? [] : await unpack(sandbox, packed, signal);
  } catch (error) {
    signal.throwIfAborted();
    tools.log.warn({ error: String(error) }, 'the conversation of the run before could not be had; the agent begins anew');
    return [];
  }
}

async function unpack(sandbox: Sandbox, packed: Uint8Array, signal: AbortSignal): Promise<readonly string[]> {
  const files: Buffer[] = [];
  const exit = await sandbox.exec({
    // shell: as above.
    argv: ['sh', '-ec', unpackScript],
    stdin: packed,
    timeoutMs: packMsMax,
    outputBytesMax: listBytesMax,
    signal,
    onOutput: (stream, chunk) => void (stream === 'stdout' && files.push(chunk)),
  });
  if (!isWell(exit)) throw new Error(`it could not be unpacked: ${JSON.stringify(exit)}`);
  const lines = Buffer.concat(files).toString('utf8').split('\n');
  return lines.filter(line => line !== '').map(line => line.replace(/^\.\//, ''));
}

function isWell(exit: SandboxExit): boolean {
  return exit.reason === 'exited' && exit.code === 0;
}
