import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../../../../kernel/clock.ts';
import { startProcess } from './process.ts';

/** What is started: it writes at once, where it can the time, and then stays until it is killed. */
export interface Program {
  /** For people. */
  readonly is: string;
  /** Where it lies on the host, for everybody to read and start. */
  readonly folder: string;
  /** On the host. */
  readonly argv: readonly [string, ...string[]];
  /** The same as a sandbox sees it that shows `folder` at this path. */
  inside(folder: string): readonly [string, ...string[]];
  remove(): void;
}

/** Nothing but the kernel takes part in its start, so that what is measured is the sandbox; where it can't be started, a shell. */
export async function tinyProgram(clock: Clock, arch: string = process.arch): Promise<Program> {
  // Every user of this machine must reach it, and SKEP_HOME is for one alone.
  const folder = mkdtempSync(join(tmpdir(), 'skep-bench-program-'));
  chmodSync(folder, 0o755);
  const remove = () => rmSync(folder, { recursive: true, force: true });
  const file = join(folder, name);
  const bytes = machineCode[arch]?.();
  if (bytes !== undefined) {
    writeFileSync(file, elf(bytes, arch));
    chmodSync(file, 0o755);
    const is = 'a static program that writes the time of its first instruction';
    if (await speaks(file, clock)) return { is, folder, argv: [file], inside: at => [join(at, name)], remove };
  }
  return { is: 'sh, which writes two bytes', folder, argv: shell, inside: () => shell, remove };
}

const name = 'tiny';
// shell: two words that never change, for where no program of our own can be started
const shell = ['/bin/sh', '-c', 'echo 1; exec sleep 3600'] as const;
const speakMsMax = 5_000;

/** A folder from which nothing may be started, or another processor than its name says. */
async function speaks(file: string, clock: Clock): Promise<boolean> {
  try {
    const signal = AbortSignal.timeout(speakMsMax);
    await (await startProcess([file], { clock, signal })).end();
    return true;
  } catch {
    return false;
  }
}

const headerBytes = 64 + 56;
const loadedAt = 0x400000;

/** clock_gettime(CLOCK_MONOTONIC), its 16 bytes below the stack; write(1, them, 16); then ppoll(nothing, for ever), again after a signal that did not end it. */
const machineCode: Readonly<Record<string, () => Buffer>> = {
  x64: () =>
    Buffer.concat([
      Buffer.from('b8e4000000bf01000000', 'hex'), // mov eax, 228 (clock_gettime); mov edi, 1
      Buffer.from('488d7424c00f05', 'hex'), // lea rsi, [rsp - 64]; syscall
      Buffer.from('b801000000bf01000000', 'hex'), // mov eax, 1 (write); mov edi, 1
      Buffer.from('488d7424c0ba100000000f05', 'hex'), // lea rsi, [rsp - 64]; mov edx, 16; syscall
      Buffer.from('b80f01000031ff31f631d24d31d24d31c00f05', 'hex'), // mov eax, 271 (ppoll); all arguments 0; syscall
      Buffer.from('ebeb', 'hex'), // jmp to the ppoll
    ]),
  arm64: () => {
    const words = [
      0xd2800020, // mov x0, 1
      0xd10103e1, // sub x1, sp, 64
      0xd2800e28, // mov x8, 113 (clock_gettime)
      0xd4000001, // svc 0
      0xd2800020, // mov x0, 1
      0xd10103e1, // sub x1, sp, 64
      0xd2800202, // mov x2, 16
      0xd2800808, // mov x8, 64 (write)
      0xd4000001, // svc 0
      0xd2800000, // mov x0, 0
      0xd2800001, // mov x1, 0
      0xd2800002, // mov x2, 0
      0xd2800003, // mov x3, 0
      0xd2800928, // mov x8, 73 (ppoll)
      0xd4000001, // svc 0
      0x17fffffa, // b to the arguments of ppoll
    ];
    const code = Buffer.alloc(words.length * 4);
    words.forEach((word, i) => code.writeUInt32LE(word, i * 4));
    return code;
  },
};

/** One segment, read and executed, with all of the file in it. */
function elf(code: Buffer, arch: string): Buffer {
  const header = Buffer.alloc(headerBytes);
  const bytes = BigInt(headerBytes + code.length);
  Buffer.from('7f454c46020101', 'hex').copy(header);
  header.writeUInt16LE(2, 16); // a program
  header.writeUInt16LE(arch === 'arm64' ? 183 : 62, 18);
  header.writeUInt32LE(1, 20);
  header.writeBigUInt64LE(BigInt(loadedAt + headerBytes), 24); // where it begins
  header.writeBigUInt64LE(64n, 32); // of the segment's header
  header.writeUInt16LE(64, 52);
  header.writeUInt16LE(56, 54);
  header.writeUInt16LE(1, 56);
  header.writeUInt32LE(1, 64); // to be loaded
  header.writeUInt32LE(5, 68); // read and executed
  header.writeBigUInt64LE(BigInt(loadedAt), 80);
  header.writeBigUInt64LE(BigInt(loadedAt), 88);
  header.writeBigUInt64LE(bytes, 96);
  header.writeBigUInt64LE(bytes, 104);
  header.writeBigUInt64LE(0x1000n, 112);
  return Buffer.concat([header, code]);
}
