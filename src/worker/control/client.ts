import { once } from 'node:events';
import { closeSync, constants, openSync } from 'node:fs';
import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { createInterface } from 'node:readline';
import { type FaultCode, Fault, faults } from '../../kernel/fault.ts';
import { controlFolder, socketsIn } from './place.ts';
import { execLine, sandboxesHere } from './wire.ts';
import type { ExecEnd, ExecRequest } from './wire.ts';

/** A sandbox of a worker of this machine. */
export interface SandboxHere {
  readonly id: string;
  /** Of its worker. */
  readonly worker: string;
  /**
   * Runs a command in it. Rejects with the signal's reason when that is aborted, which ends the command; with the Fault of the worker
   * where it refuses; with `server_unavailable` where the worker goes away.
   */
  exec(command: HereCommand): Promise<ExecEnd>;
}

interface HereCommand extends Pick<ExecRequest, 'argv' | 'timeout_ms' | 'cwd'> {
  readonly stdin?: Buffer | undefined;
  readonly onOutput: (stream: 'stdout' | 'stderr', chunk: Buffer) => void;
  readonly signal: AbortSignal;
}

const answerMs = 5_000;

/** The sandboxes of the workers of this machine whose folder this is, as far as they answer. */
export async function findSandboxesHere(workerFolder: string): Promise<readonly SandboxHere[]> {
  const folder = controlFolder(workerFolder);
  const found = await Promise.all(socketsIn(folder).map(name => sandboxesAt(folder, name).catch(() => [])));
  return found.flat();
}

async function sandboxesAt(folder: string, socket: string): Promise<readonly SandboxHere[]> {
  const signal = AbortSignal.timeout(answerMs);
  const answer = await call({ folder, socket, signal }, { method: 'GET', path: '/sandboxes' });
  const { worker, sandboxes } = sandboxesHere.parse(JSON.parse(await textOf(answer)));
  return sandboxes.map(id => ({
    id,
    worker,
    exec: command => execAt({ folder, socket, signal: command.signal }, { id, ...command }),
  }));
}

interface Place {
  readonly folder: string;
  readonly socket: string;
  readonly signal: AbortSignal;
}

async function execAt(place: Place, { id, stdin, onOutput, signal, ...command }: HereCommand & { id: string }): Promise<ExecEnd> {
  const body = { id, ...command, ...(stdin === undefined ? {} : { stdin: stdin.toString('base64') }) };
  try {
    const answer = await call(place, { method: 'POST', path: '/exec', body });
    if (answer.statusCode !== 200) throw refusalOf(await textOf(answer));
    return await read(answer, onOutput);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof Fault) throw error;
    throw new Fault('server_unavailable', { message: 'The worker went away while the command ran', hint: '', cause: error });
  }
}

async function read(answer: IncomingMessage, onOutput: HereCommand['onOutput']): Promise<ExecEnd> {
  for await (const text of createInterface({ input: answer })) {
    const line = execLine.parse(JSON.parse(text));
    if ('exit' in line) return line.exit;
    if ('error' in line) throw refusalOf(text);
    if ('stdout' in line) onOutput('stdout', Buffer.from(line.stdout, 'base64'));
    else onOutput('stderr', Buffer.from(line.stderr, 'base64'));
  }
  throw new Error('the answer ended without an end of the command');
}

/** The refusal of a worker, again as a Fault. */
function refusalOf(text: string): Fault {
  const { error, code, hint } = JSON.parse(text) as { error?: string; code?: string; hint?: string };
  const known = code !== undefined && code in faults ? (code as FaultCode) : 'failed';
  return new Fault(known, { message: error ?? 'The worker refused', ...(hint === undefined ? {} : { hint }) });
}

interface Sent {
  readonly method: string;
  readonly path: string;
  readonly body?: object;
}

/** The path of a socket may have 107 bytes, and a home may have more: so its folder is named by a descriptor. */
async function call({ folder, socket, signal }: Place, { method, path, body }: Sent): Promise<IncomingMessage> {
  const descriptor = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    const sent = request({ socketPath: `/proc/self/fd/${descriptor}/${socket}`, method, path, signal });
    // Broken off later it is the answer that says so.
    sent.on('error', () => {});
    sent.end(body === undefined ? undefined : JSON.stringify(body));
    const [answer] = (await once(sent, 'response')) as [IncomingMessage];
    return answer;
  } finally {
    closeSync(descriptor);
  }
}

async function textOf(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of answer as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}
