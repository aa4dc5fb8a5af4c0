import type { SandboxCommand } from '../../../worker/sandbox.ts';
import { words } from './starter.ts';
import type { Word } from './starter.ts';

type Stream = 'stdout' | 'stderr';

/** Of what an engine says before the command runs. */
const engineBytesMax = 16 * 1024;

interface Options {
  readonly token: string;
  readonly command: SandboxCommand;
  readonly onWord: (word: Word) => void;
  readonly onLimit: () => void;
  readonly onError: (error: unknown) => void;
}

/** Tells what a command prints from what its starter and its engine say, and hands the first on until there is too much of it. */
export interface Speech {
  hear(stream: Stream, chunk: Buffer): void;
  /** No more comes: what was held back goes out. */
  end(): void;
  /** What stood on stderr before the command ran. */
  engineWords(): string;
}

export function createSpeech({ token, command, onWord, onLimit, onError }: Options): Speech {
  let left = command.outputBytesMax;
  let said = '';
  let isReady = false;
  let held: Buffer = Buffer.alloc(0);
  const mark = Buffer.from(`${token} `);
  const longest = mark.length + Math.max(...words.map(word => word.length)) + 1;

  function deliver(stream: Stream, chunk: Buffer): void {
    if (left < 0 || chunk.length === 0) return;
    const part = chunk.subarray(0, left);
    left -= chunk.length;
    try {
      if (part.length > 0) command.onOutput(stream, part);
    } catch (error) {
      onError(error);
    }
    if (left < 0) onLimit();
  }

  function print(chunk: Buffer): void {
    if (isReady) deliver('stderr', chunk);
    else said = `${said}${chunk.toString('utf8')}`.slice(0, engineBytesMax);
  }

  function hearStderr(chunk: Buffer): void {
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    for (let at = held.indexOf(mark); at >= 0; at = held.indexOf(mark)) {
      const end = held.indexOf('\n', at);
      if (end < 0 && held.length - at < longest) break;
      const word = words.find(each => held.subarray(at + mark.length, end < 0 ? at : end).equals(Buffer.from(each)));
      print(held.subarray(0, word === undefined ? at + mark.length : at));
      held = held.subarray(word === undefined ? at + mark.length : end + 1);
      if (word === undefined) continue;
      if (word === 'ready') isReady = true;
      onWord(word);
    }
    const keep = heldBack();
    print(held.subarray(0, held.length - keep));
    held = Buffer.from(held.subarray(held.length - keep));
  }

  /** The bytes at the end that may be the beginning of a word of the starter's. */
  function heldBack(): number {
    const at = held.indexOf(mark);
    if (at >= 0) return held.length - at;
    for (let length = Math.min(mark.length - 1, held.length); length > 0; length -= 1)
      if (mark.subarray(0, length).equals(held.subarray(held.length - length))) return length;
    return 0;
  }

  return {
    hear: (stream, chunk) => (stream === 'stdout' ? deliver('stdout', chunk) : hearStderr(chunk)),
    end() {
      print(held);
      held = Buffer.alloc(0);
    },
    engineWords: () => said.trim(),
  };
}
