import { DENIED, machines, NEWEST_KNOWN } from './syscalls.ts';
import type { Machine } from './syscalls.ts';

/**
 * The seccomp filter of a sandbox as the bytes of a classic BPF program, for `bwrap --seccomp`; undefined for a machine
 * whose call numbers are not known here. It takes away what reaches out of the namespaces or widens the attack on the
 * kernel. ptrace and process_vm_* stay: debuggers and strace are honest work, and they see only the sandbox's own processes.
 */
export function seccompProgram(arch: string): Buffer | undefined {
  const machine = machines[arch];
  return machine && assemble(filter(machine));
}

const RET_ALLOW = 0x7fff0000;
const RET_KILL = 0x80000000;
const refuse = (errno: number): number => 0x00050000 + errno;
const EPERM = 1;
const ENOSYS = 38;
const EPROTONOSUPPORT = 93;
const EAFNOSUPPORT = 97;

/** Byte offsets in struct seccomp_data. Arguments are 64 bits; the kernel reads the tested ones as 32-bit, so the low half decides. */
const NR = 0;
const ARCH = 4;
const argument = (index: number): number => 16 + 8 * index;

const AF_NETLINK = 16;
/** AF_UNIX, AF_INET, AF_INET6, AF_NETLINK. Not AF_VSOCK, which ignores the network namespace, nor AF_PACKET, AF_ALG and the rest. */
const FAMILIES = [1, 2, 10, AF_NETLINK];
/** Any, ICMP, TCP, UDP, ICMPv6: a socket of another protocol makes the kernel load its module. */
const PROTOCOLS = [0, 1, 6, 17, 58];
/** Push characters into a terminal (TIOCSTI), the same by the console's own call (TIOCLINUX), change its line discipline (TIOCSETD). */
const TERMINAL_TRICKS = [0x5412, 0x541c, 0x5423];
/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. */
const NEW_NAMESPACE = 0x7e020000;
/** In clone this bit is part of the exit signal, so it is a flag for unshare only. */
const NEW_TIME = 0x80;
/** Linux, with a short inode or address layout of old, without address randomisation (gdb), and "only tell". */
const PERSONALITIES = [0, 8, 0x20000, 0x20008, 0x40000, 0xffffffff];

/** One instruction; `yes` and `no` are how many instructions to skip. */
type Instruction = readonly [code: number, yes: number, no: number, k: number];

const load = (offset: number): Instruction => [0x20, 0, 0, offset];
const give = (answer: number): Instruction => [0x06, 0, 0, answer];
const skipIf = (value: number, skip: number): Instruction => [0x15, skip, 0, value];
const skipUnless = (value: number, skip: number): Instruction => [0x15, 0, skip, value];
const skipUnlessAny = (bits: number, skip: number): Instruction => [0x45, 0, skip, bits];
const skipUnlessAbove = (value: number, skip: number): Instruction => [0x25, 0, skip, value];

function filter(machine: Machine): Instruction[] {
  return [
    load(ARCH),
    skipIf(machine.audit, 1),
    // A 32-bit call on a 64-bit machine: other numbers, so no rule below would hold.
    give(RET_KILL),
    load(NR),
    ...(machine.foreignBit ? [skipUnlessAny(machine.foreignBit, 1), give(refuse(ENOSYS))] : []),
    skipUnlessAbove(NEWEST_KNOWN, 1),
    give(refuse(ENOSYS)),
    // Its flags are behind a pointer, out of a filter's sight: with ENOSYS libc falls back to clone, whose flags are not.
    ...when(machine, 'clone3', [give(refuse(ENOSYS))]),
    ...DENIED.flatMap(name => when(machine, name, [give(refuse(EPERM))])),
    ...when(machine, 'clone', denyBits(0, NEW_NAMESPACE)),
    ...when(machine, 'unshare', denyBits(0, NEW_NAMESPACE | NEW_TIME)),
    ...when(machine, 'ioctl', [load(argument(1)), ...TERMINAL_TRICKS.flatMap(denyValue), give(RET_ALLOW)]),
    ...when(machine, 'personality', [load(argument(0)), ...allowOnly(PERSONALITIES, EPERM)]),
    ...when(machine, 'socket', sockets()),
    ...when(machine, 'socketpair', sockets()),
    give(RET_ALLOW),
  ];
}

/** `then` must end in an answer. The accumulator holds the call's number before and, where `then` is skipped, after. */
function when(machine: Machine, name: string, then: readonly Instruction[]): Instruction[] {
  const number = machine.number(name);
  return number === undefined ? [] : [skipUnless(number, then.length), ...then];
}

function sockets(): Instruction[] {
  const routeOnly = [load(argument(2)), ...allowOnly([0], EPROTONOSUPPORT)];
  return [
    load(argument(0)),
    ...FAMILIES.flatMap((family, index) => [skipIf(family, FAMILIES.length - index)]),
    give(refuse(EAFNOSUPPORT)),
    skipUnless(AF_NETLINK, routeOnly.length),
    ...routeOnly,
    load(argument(2)),
    ...allowOnly(PROTOCOLS, EPROTONOSUPPORT),
  ];
}

function allowOnly(values: readonly number[], errno: number): Instruction[] {
  return [...values.map((value, index) => skipIf(value, values.length - index)), give(refuse(errno)), give(RET_ALLOW)];
}

function denyBits(index: number, bits: number): Instruction[] {
  return [load(argument(index)), skipUnlessAny(bits, 1), give(refuse(EPERM)), give(RET_ALLOW)];
}

function denyValue(value: number): Instruction[] {
  return [skipUnless(value, 1), give(refuse(EPERM))];
}

/** struct sock_filter, 8 bytes each: u16 code, u8 jt, u8 jf, u32 k; both machines are little-endian. */
function assemble(program: readonly Instruction[]): Buffer {
  const bytes = Buffer.alloc(program.length * 8);
  program.forEach(([code, yes, no, k], index) => {
    bytes.writeUInt16LE(code, index * 8);
    bytes.writeUInt8(yes, index * 8 + 2);
    bytes.writeUInt8(no, index * 8 + 3);
    bytes.writeUInt32LE(k >>> 0, index * 8 + 4);
  });
  return bytes;
}
