import { Fault } from '../../../../kernel/fault.ts';
import { checked } from '../shown/command.ts';

/**
 * What goes between a worker and its launcher: a length, a kind and a number, 32 bits each, little-endian; then a body. The length counts
 * what comes after itself. The other end is serve/serve.c.
 */
export const sent = { config: 1, describe: 2, spare: 3, start: 4, signal: 5, forget: 6, pipes: 7 } as const;
export const heard = { ready: 1, spared: 2, held: 3, begun: 4, refused: 5, ended: 6, forgotten: 7, piped: 8 } as const;

const headBytes = 12;
/** As serve.h has it: less than its `frame_bytes_max`. */
const sentBytesMax = 7 * 2 ** 20;
/** More than any answer has. */
const heardBytesMax = 128;

export function number(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

/** Of more than 32 bits. */
export function large(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(Math.max(0, Math.floor(value))));
  return bytes;
}

/** Ends with a NUL. Throws Fault `invalid_request` where it holds one. */
export function text(value: string): Buffer {
  return bytes(Buffer.from(`${checked(value)}\0`));
}

export function bytes(value: Uint8Array): Buffer {
  return Buffer.concat([number(value.length), value]);
}

/** How many there are, and then they. */
export function list(items: readonly Buffer[]): Buffer {
  return Buffer.concat([number(items.length), ...items]);
}

/** Throws Fault `too_large`. */
export function frame(kind: number, id: number, parts: readonly Buffer[] = []): Buffer {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  if (length > sentBytesMax) throw argumentsFault();
  return Buffer.concat([number(headBytes - 4 + length), number(kind), number(id), ...parts]);
}

export function argumentsFault(): Fault {
  return new Fault('too_large', { message: 'the arguments of the command are too large', hint: 'pass them on stdin' });
}

export interface Heard {
  readonly kind: number;
  readonly id: number;
  readonly body: Buffer;
}

/** Takes what comes, in whatever pieces. Throws where it is no frame. */
export function createReader(onFrame: (frame: Heard) => void): (chunk: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0);
  return chunk => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    while (rest.length >= headBytes) {
      const end = 4 + rest.readUInt32LE(0);
      if (end < headBytes || end > heardBytesMax) throw new Error(`the launcher of sandboxes says a frame of ${end} bytes`);
      if (rest.length < end) return;
      const [kind, id, body] = [rest.readUInt32LE(4), rest.readUInt32LE(8), rest.subarray(headBytes, end)];
      rest = rest.subarray(end);
      onFrame({ kind, id, body });
    }
  };
}

/** What a process said before its program ran. */
export interface Report {
  readonly stage: number;
  readonly errno: number;
  readonly step: string;
}

export const stages = { setup: 2, folder: 3, program: 4 } as const;

export function readReport(body: Buffer): Report {
  const step = body.subarray(8).toString().replace(/\0.*$/s, '');
  return { stage: body.readUInt32LE(0), errno: body.readInt32LE(4), step };
}
