import { createInterface } from 'node:readline/promises';
import type { WriteStream } from 'node:tty';
import { systemClock } from '../kernel/clock.ts';
import { Fault } from '../kernel/fault.ts';
import type { Input, Output, World } from './context.ts';
import { run } from './program.ts';

/** The entry of the `skep` command: hands the process to the program. */
const world: World = {
  argv: process.argv.slice(2),
  cwd: process.cwd(),
  out: output(process.stdout),
  err: output(process.stderr),
  input: input(),
  clock: systemClock,
  // The settings bring zod, which --help does not need.
  settings: async overrides => (await import('../config.ts')).readSettings(overrides),
  stopRequested,
};

const code = await run(world);
// Idle connections to the server would keep the process for seconds.
process.stdout.write('', () => process.exit(process.exitCode ?? code));

function output(stream: WriteStream): Output {
  // `skep ticket list | head`: whoever reads has had enough, which is no failure.
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
  const isTerminal = stream.isTTY === true;
  return {
    write: text => void stream.write(text),
    isTerminal,
    // Node asks NO_COLOR, FORCE_COLOR and TERM itself.
    hasColour: isTerminal && stream.hasColors(16),
  };
}

function input(): Input {
  return {
    isTerminal: process.stdin.isTTY === true,
    async read(bytesMax) {
      const chunks: Buffer[] = [];
      let size = 0;
      for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
        size += chunk.length;
        if (size > bytesMax) throw new Fault('too_large', { message: `stdin holds more than ${bytesMax} bytes` });
        chunks.push(chunk);
      }
      return Buffer.concat(chunks);
    },
    async ask(question) {
      // Not `terminal: true`: in raw mode Ctrl-C would be a key and not the end.
      const lines = createInterface({ input: process.stdin, output: process.stderr, terminal: false });
      // Ctrl-D closes without an answer.
      const closed = new Promise<string>(resolve => void lines.once('close', () => resolve('')));
      try {
        return await Promise.race([lines.question(question), closed]);
      } finally {
        lines.close();
      }
    },
  };
}

function stopRequested(): Promise<'SIGINT' | 'SIGTERM'> {
  return new Promise(resolve => {
    const onSignal = (signal: NodeJS.Signals): void => {
      for (const other of ['SIGINT', 'SIGTERM'] as const) {
        process.removeListener(other, onSignal);
        // Who asks twice does not want to wait.
        process.once(other, () => process.exit(130));
      }
      resolve(signal === 'SIGINT' ? 'SIGINT' : 'SIGTERM');
    };
    process.on('SIGINT', onSignal);
    process.on('SIGTERM', onSignal);
  });
}
