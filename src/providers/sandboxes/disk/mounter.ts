import { spawn } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import type { Socket } from 'node:net';
import { run, SYSTEM_PATH } from '../local/host/tools.ts';
import type { Mounter } from '../local/host/tools.ts';
import { inBatches } from '../local/native/connection.ts';

/**
 * By one process that stays and makes a child for each: for this one to start a program takes longer than what that has to do. Where it
 * has ended, the program is started after all. It ends with this process.
 */
export function createMounter(path: string): Mounter {
  let server: Server | undefined;

  /** `before` and `after` the word that names the process with which it is to end. */
  async function ask(before: readonly string[], after: readonly string[]): Promise<void> {
    if (after.some(word => word === '' || word.includes('\0'))) throw new Error('a word of a request has no or too much in it');
    if (server === undefined || server.isOver()) server = serve(path);
    const answer = await server.ask([...before, '-', ...after]);
    if (answer === undefined) await run(path, [...before, String(process.pid), ...after]);
    else if (answer !== '') throw new Error(answer);
  }

  return {
    disk: (verb, words) => ask(['disk', verb], words),
    overlay: words => ask(['overlay'], words),
    ground: words => ask(['ground'], words),
    clear: (folder, groups) => ask(['clear'], [folder, ...groups.flatMap(path => ['group', path])]),
  };
}

interface Server {
  /** What went wrong, nothing where nothing did; undefined where the server has ended. */
  ask(words: readonly string[]): Promise<string | undefined>;
  isOver(): boolean;
}

/** More than one answer has. */
const heardBytesMax = 65_536;

function serve(path: string): Server {
  const child = spawn(path, ['mounts', String(process.pid)], { cwd: '/', env: { PATH: SYSTEM_PATH, LC_ALL: 'C' } });
  const { send } = inBatches(requests => void child.stdin.write(requests));
  const waiting = new Map<string, (answer: string | undefined) => void>();
  let last = 0;
  let rest = '';
  let isOver = child.pid === undefined;

  function end(): void {
    isOver = true;
    for (const tell of waiting.values()) tell(undefined);
    waiting.clear();
  }

  function hear(chunk: Buffer): void {
    const lines = `${rest}${chunk.toString()}`.split('\n');
    rest = (lines.pop() ?? '').slice(0, heardBytesMax);
    for (const line of lines) {
      const [, number = '', status, said = ''] = /^(\d+) (\d) (.*)$/.exec(line) ?? [];
      waiting.get(number)?.(status === '0' ? '' : said.trim() || 'it ended without a word');
      waiting.delete(number);
    }
    if (waiting.size === 0) hold(child, false);
  }

  child.on('error', end);
  child.once('close', end);
  child.stdout.on('data', hear);
  child.stderr.resume();
  for (const stream of [child.stdin, child.stdout, child.stderr]) stream.on('error', () => {});
  hold(child, false);
  return {
    ask: words =>
      new Promise(resolve => {
        if (isOver) return resolve(undefined);
        const number = String((last = (last + 1) % 1_000_000_000));
        waiting.set(number, resolve);
        hold(child, true);
        send(Buffer.from([number, ...words, ''].map(word => `${word}\0`).join('')));
      }),
    isOver: () => isOver,
  };
}

/** This process stays while an answer is to come, and not for the server. */
function hold(child: ChildProcessWithoutNullStreams, isHeld: boolean): void {
  // Pipes of a child are sockets, which its types do not say.
  const parts = [child, ...[child.stdin, child.stdout, child.stderr].map(stream => stream as unknown as Socket)];
  for (const part of parts)
    if (isHeld) part.ref();
    else part.unref();
}
