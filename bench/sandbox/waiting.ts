import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { firstInstructionMs } from '../../src/cli/bench/sandbox/ways/first.ts';
import type { Program } from '../../src/cli/bench/sandbox/ways/tiny.ts';
import type { Started, Way } from '../../src/cli/bench/sandbox/ways/way.ts';

/** It says that it waits, waits for a line, and becomes the program. */
// shell: words that never change, about the smallest process that every machine has
const waits = ['-c', 'echo >&2; read -r _; exec "$0" "$@"'] as const;

interface Waiting {
  /** Resolves with the first that the program wrote. */
  tell(): Promise<Buffer>;
  end(): Promise<void>;
}

/**
 * The least that a warm start can be from Node: a process that waits is told by one write and becomes the program. Nothing is confined, nothing
 * gets a name or pipes, and nobody stands between.
 */
export function waitingWay({ argv }: Program): Way {
  let waiting: Waiting[] = [];
  return {
    name: 'no sandbox, a process that waits',
    isOurs: false,
    async prepare(count) {
      const lacking = Math.max(0, count - waiting.length);
      waiting.push(...(await Promise.all(Array.from({ length: lacking }, () => begin(argv)))));
    },
    async release() {
      const left = waiting;
      waiting = [];
      await Promise.all(left.map(each => each.end()));
    },
    async start(): Promise<Started> {
      const { tell, end } = waiting.shift() ?? (await begin(argv));
      return { firstMs: firstInstructionMs(await tell()), end };
    },
  };
}

async function begin(argv: Program['argv']): Promise<Waiting> {
  const child = spawn('/bin/sh', [...waits, ...argv]);
  const closed = once(child, 'close');
  const broken = closed.then((): never => {
    throw new Error('a process that waits has ended');
  });
  broken.catch(() => {});
  await Promise.race([once(child.stderr, 'data'), broken]);
  return {
    async tell() {
      const spoke = once(child.stdout, 'data') as Promise<[Buffer]>;
      child.stdin.write('\n');
      const [written] = await Promise.race([spoke, broken]);
      return written;
    },
    async end() {
      child.kill('SIGKILL');
      await closed;
    },
  };
}
