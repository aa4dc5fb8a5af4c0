import { createInterface } from 'node:readline/promises';
import type { WriteStream } from 'node:tty';
import { systemClock } from '../kernel/clock.ts';
import { Fault } from '../kernel/fault.ts';
import type { Input, Output, StopSignal, World } from './context.ts';
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
  stopRequested: stopSignals(),
};

const code = await run(world);
// Idle connections to the server would keep the process for seconds.
process.stdout.write('', () => process.exit(process.exitCode ?? code));

function output(stream: WriteStream): Output {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    // `skep ticket list | head`: whoever reads has had enough, which is no failure. A server works on without a reader.
    if (process.listenerCount('SIGINT') === 0) process.exit(0);
  });
  const isTerminal = stream.isTTY === true;
  return {
    write: text => void stream.write(text),
    isTerminal,
    // Node asks NO_COLOR, FORCE_COLOR and TERM itself.
    hasColour: isTerminal && stream.hasColors(16),
    size: () => (isTerminal && stream.columns > 0 ? { columns: stream.columns, rows: stream.rows } : undefined),
    onResize(changed) {
      stream.on('resize', changed);
      return () => void stream.off('resize', changed);
    },
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
    keys(pressed) {
      const { stdin } = process;
      const onData = (data: Buffer): void => pressed(data.toString('utf8'));
      stdin.setRawMode(true).on('data', onData).resume();
      return () => void stdin.off('data', onData).setRawMode(false).pause();
    },
  };
}

function stopSignals(): World['stopRequested'] {
  let waiting: ((signal: StopSignal) => void) | undefined;
  const onSignal = (signal: StopSignal): void => {
    // Who asks once more does not want to wait.
    if (waiting === undefined) process.exit(130);
    waiting(signal);
    waiting = undefined;
  };
  return () => {
    if (process.listenerCount('SIGINT') === 0) {
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => onSignal(signal));
    }
    return new Promise(resolve => {
      waiting = resolve;
    });
  };
}
