import { describe, expect, it } from 'vitest';
import { seccompProgram } from './program.ts';
import { DENIED, machines } from './syscalls.ts';
import type { Machine } from './syscalls.ts';

const ALLOW = 0x7fff0000;
const KILL = 0x80000000;
const errno = (answer: number): number | undefined => (answer >>> 16 === 5 ? answer & 0xffff : undefined);

/** Runs the program as the kernel would; throws on any instruction or jump that the kernel would not load. */
function answer(program: Buffer, call: { audit: number; nr: number; args?: readonly number[] }): number {
  const data = Buffer.alloc(64);
  data.writeUInt32LE(call.nr >>> 0, 0);
  data.writeUInt32LE(call.audit, 4);
  (call.args ?? []).forEach((value, index) => data.writeUInt32LE(value >>> 0, 16 + 8 * index));
  let accumulator = 0;
  for (let at = 0; at * 8 < program.length; at++) {
    const code = program.readUInt16LE(at * 8);
    const k = program.readUInt32LE(at * 8 + 4);
    if (code === 0x06) return k;
    if (code === 0x20) accumulator = data.readUInt32LE(k);
    else {
      const tests: Record<number, boolean> = { 21: accumulator === k, 69: (accumulator & k) !== 0, 37: accumulator > k };
      const met = tests[code];
      if (met === undefined) throw new Error(`instruction ${code.toString(16)}`);
      at += program.readUInt8(at * 8 + (met ? 2 : 3));
    }
  }
  throw new Error('ran over the end');
}

describe.each(Object.entries(machines))('the filter on %s', (arch, machine: Machine) => {
  const program = seccompProgram(arch) ?? Buffer.alloc(0);
  const ask = (name: string, ...args: number[]) =>
    answer(program, { audit: machine.audit, nr: machine.number(name) ?? -1, args });

  it('fits what the kernel takes', () => {
    expect(program.length / 8).toBeGreaterThan(100);
    expect(program.length / 8).toBeLessThan(4096);
  });

  it('refuses every denied call that the machine has with EPERM', () => {
    const there = DENIED.filter(name => machine.number(name) !== undefined);
    expect(there.length).toBeGreaterThan(40);
    expect(there.filter(name => errno(ask(name)) !== 1)).toEqual([]);
  });

  it('knows a number for every denied call on at least one machine', () => {
    expect(DENIED.filter(name => Object.values(machines).every(known => known.number(name) === undefined))).toEqual([]);
  });

  it('kills a caller of another machine, refuses the x32 table and calls newer than it knows', () => {
    expect(answer(program, { audit: 0x40000003, nr: 1 })).toBe(KILL);
    expect(errno(answer(program, { audit: machine.audit, nr: 467 }))).toBe(38);
    expect(errno(answer(program, { audit: machine.audit, nr: 0x40000000 | 41, args: [40] }))).toBe(38);
  });

  it('lets ordinary calls through', () => {
    const judged = [...DENIED, 'clone3', 'ioctl', 'socket', 'socketpair', 'clone', 'unshare', 'personality'];
    const numbers = new Set(judged.map(name => machine.number(name)));
    const ordinary = Array.from({ length: 467 }, (_, nr) => nr).filter(nr => !numbers.has(nr));
    expect(ordinary.length).toBeGreaterThan(400);
    expect(ordinary.filter(nr => answer(program, { audit: machine.audit, nr }) !== ALLOW)).toEqual([]);
  });

  it('sends clone3 back to clone, and lets clone make threads and processes but no namespace', () => {
    expect(errno(ask('clone3'))).toBe(38);
    expect(ask('clone', 0x3d0f00)).toBe(ALLOW);
    expect(ask('clone', 0x01200011)).toBe(ALLOW);
    for (const flag of [0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000])
      expect([errno(ask('clone', flag | 17)), errno(ask('unshare', flag))]).toEqual([1, 1]);
    expect(errno(ask('unshare', 0x80))).toBe(1);
    expect(ask('unshare', 0x400)).toBe(ALLOW);
  });

  it('knows four families of sockets and five protocols', () => {
    const families = Array.from({ length: 50 }, (_, family) => family);
    expect(families.filter(family => ask('socket', family, 1, 0) === ALLOW)).toEqual([1, 2, 10, 16]);
    expect(families.filter(family => ask('socketpair', family, 1, 0) === ALLOW)).toEqual([1, 2, 10, 16]);
    const protocols = Array.from({ length: 300 }, (_, protocol) => protocol);
    expect(protocols.filter(protocol => ask('socket', 2, 1, protocol) === ALLOW)).toEqual([0, 1, 6, 17, 58]);
    expect(protocols.filter(protocol => ask('socket', 16, 3, protocol) === ALLOW)).toEqual([0]);
  });

  it('refuses terminal tricks and odd personalities', () => {
    expect([0x5412, 0x541c, 0x5423].map(request => errno(ask('ioctl', 0, request)))).toEqual([1, 1, 1]);
    expect(ask('ioctl', 0, 0x5401)).toBe(ALLOW);
    expect(ask('personality', 0xffffffff)).toBe(ALLOW);
    expect(errno(ask('personality', 0x0400000))).toBe(1);
  });
});

it('has no filter for a machine whose numbers are not known', () => {
  expect(seccompProgram('mips')).toBeUndefined();
});
