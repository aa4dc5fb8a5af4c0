import { DENIED } from '../local/seccomp/syscalls.ts';
import { ALLOWED } from './calls.ts';

/**
 * The filter of local/seccomp as container engines read it; undefined for a machine on which it was not looked at. What it names
 * nowhere answers ENOSYS: clone3, whose flags are out of a filter's sight, and every call that is newer than the filter.
 */
export function seccompProfile(arch: string): string | undefined {
  const architecture = ARCHITECTURES[arch];
  if (architecture === undefined) return undefined;
  const syscalls = [
    rule(ALLOWED, {}),
    rule(DENIED, { errno: EPERM }),
    // Docker before 23 does not read the default's error: without this no thread could be started there.
    rule(['clone3'], { errno: ENOSYS }),
    ...withoutBits('clone', NAMESPACES),
    ...withoutBits('unshare', [...NAMESPACES, NEW_TIME]),
    ...PERSONALITIES.map(value => rule(['personality'], { args: [is(0, value)] })),
    ...TERMINAL_TRICKS.map(value => rule(['ioctl'], { errno: EPERM, args: [is(1, value)] })),
    ...allBut(TERMINAL_TRICKS).map(argument => rule(['ioctl'], { args: [argument] })),
    ...['socket', 'socketpair'].flatMap(sockets),
  ];
  return JSON.stringify({ defaultAction: 'SCMP_ACT_ERRNO', defaultErrnoRet: ENOSYS, architectures: [architecture], syscalls });
}

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'SCMP_ARCH_X86_64', arm64: 'SCMP_ARCH_AARCH64' };

const EPERM = 1;
const ENOSYS = 38;
const EPROTONOSUPPORT = 93;
const EAFNOSUPPORT = 97;

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. */
const NAMESPACES = [0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000];
const NEW_TIME = 0x80;
/** Linux, with a short inode or address layout of old, without address randomisation, and "only tell". */
const PERSONALITIES = [0, 8, 0x20000, 0x20008, 0x40000, 0xffffffff];
/** TIOCSTI, TIOCLINUX, TIOCSETD. */
const TERMINAL_TRICKS = [0x5412, 0x541c, 0x5423];
const AF_NETLINK = 16;
/** AF_UNIX, AF_INET, AF_INET6. */
const FAMILIES = [1, 2, 10];
/** AF_MCTP, the last there is; AF_VSOCK ignores network namespaces, others make the kernel load modules. */
const LAST_FAMILY = 45;
/** Any, ICMP, TCP, UDP, ICMPv6. */
const PROTOCOLS = [0, 1, 6, 17, 58];

interface Argument {
  readonly index: number;
  readonly value: number;
  readonly valueTwo?: number;
  readonly op: string;
}

interface Meaning {
  /** Allowed without one. */
  readonly errno?: number;
  readonly args?: readonly Argument[];
}

function rule(names: readonly string[], { errno, args = [] }: Meaning) {
  return errno === undefined
    ? { names, action: 'SCMP_ACT_ALLOW', args }
    : { names, action: 'SCMP_ACT_ERRNO', errnoRet: errno, args };
}

/** The kernel reads 32 bits of these arguments, and a register has 64: what stands in the upper half must decide nothing. */
function is(index: number, value: number): Argument {
  return { index, value: 0xffffffff, valueTwo: value, op: 'SCMP_CMP_MASKED_EQ' };
}

/**
 * Of the second argument, every number of 32 bits but these. Not "any, but those are refused": an engine leaves out a rule that does what
 * the default does, and Docker before 23 takes EPERM for the default.
 */
function allBut(refused: readonly number[], { bit = 31, mask = 0, value = 0 } = {}): readonly Argument[] {
  const those = refused.filter(each => (each & mask) >>> 0 === value);
  if (those.length === 0) return [{ index: 1, value: mask, valueTwo: value, op: 'SCMP_CMP_MASKED_EQ' }];
  if (bit < 0) return [];
  const next = { bit: bit - 1, mask: (mask | (1 << bit)) >>> 0 };
  return [value, (value | (1 << bit)) >>> 0].flatMap(half => allBut(those, { ...next, value: half }));
}

function withoutBits(name: string, bits: readonly number[]) {
  const all = bits.reduce((sum, bit) => sum + bit, 0);
  const none = rule([name], { args: [{ index: 0, value: all, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }] });
  const has = (bit: number): Argument => ({ index: 0, value: bit, valueTwo: bit, op: 'SCMP_CMP_MASKED_EQ' });
  return [none, ...bits.map(bit => rule([name], { errno: EPERM, args: [has(bit)] }))];
}

function sockets(name: string) {
  const others = Array.from({ length: LAST_FAMILY + 1 }, (_, family) => family);
  const refused = others.filter(family => family !== AF_NETLINK && !FAMILIES.includes(family));
  const above = (index: number, value: number): Argument => ({ index, value, op: 'SCMP_CMP_GT' });
  return [
    ...FAMILIES.flatMap(family => PROTOCOLS.map(protocol => rule([name], { args: [is(0, family), is(2, protocol)] }))),
    rule([name], { args: [is(0, AF_NETLINK), is(2, 0)] }),
    rule([name], { errno: EPROTONOSUPPORT, args: [is(0, AF_NETLINK), above(2, 0)] }),
    ...FAMILIES.map(family => rule([name], { errno: EPROTONOSUPPORT, args: [is(0, family), above(2, PROTOCOLS.at(-1) ?? 0)] })),
    ...refused.map(family => rule([name], { errno: EAFNOSUPPORT, args: [is(0, family)] })),
    rule([name], { errno: EAFNOSUPPORT, args: [above(0, LAST_FAMILY)] }),
  ];
}
