/** System call numbers of one machine, by name; a call that the machine does not have is absent. */
export interface Machine {
  /** AUDIT_ARCH_… of <linux/audit.h>: what the kernel says of the caller. */
  readonly audit: number;
  /** Calls made with this bit set belong to another table (x32) and are refused; 0 where there is no such table. */
  readonly foreignBit: number;
  readonly number: (name: string) => number | undefined;
}

/**
 * The newest call that was looked at for this filter (removexattrat, Linux 6.13). Later ones answer ENOSYS, so that a new
 * kernel opens no door before somebody has looked at it; programs fall back as they do on an older kernel.
 */
export const NEWEST_KNOWN = 466;

/** Calls that no build or test needs and that reach the kernel, the machine or its keys. All answer EPERM. */
export const DENIED: readonly string[] = [
  // The key ring of the host's user is not in any namespace.
  ...['keyctl', 'add_key', 'request_key'],
  // Kernel code that exploits like best: io_uring also goes around every rule of this filter.
  ...['io_uring_setup', 'io_uring_enter', 'io_uring_register', 'userfaultfd', 'bpf', 'perf_event_open'],
  ...['kexec_load', 'kexec_file_load', 'init_module', 'finit_module', 'delete_module', 'create_module', 'query_module'],
  ...['mount', 'umount2', 'pivot_root', 'chroot', 'open_tree', 'move_mount', 'fsopen', 'fsconfig', 'fsmount', 'fspick'],
  ...['mount_setattr', 'setns', 'open_by_handle_at', 'fanotify_init', 'quotactl', 'quotactl_fd', 'swapon', 'swapoff'],
  ...['reboot', 'settimeofday', 'clock_settime', 'clock_adjtime', 'adjtimex', 'acct', 'iopl', 'ioperm', 'syslog'],
  ...['sethostname', 'setdomainname', 'vhangup', 'lookup_dcookie', 'nfsservctl', 'uselib', 'ustat', 'sysfs', '_sysctl'],
];

/** name: [x86-64, arm64]; from the kernel's unistd headers. Calls from 424 on have one number everywhere. */
const NUMBERS: Readonly<Record<string, readonly [number, number | undefined]>> = {
  ioctl: [16, 29],
  socket: [41, 198],
  socketpair: [53, 199],
  clone: [56, 220],
  syslog: [103, 116],
  uselib: [134, undefined],
  personality: [135, 92],
  ustat: [136, undefined],
  sysfs: [139, undefined],
  vhangup: [153, 58],
  pivot_root: [155, 41],
  _sysctl: [156, undefined],
  adjtimex: [159, 171],
  chroot: [161, 51],
  acct: [163, 89],
  settimeofday: [164, 170],
  mount: [165, 40],
  umount2: [166, 39],
  swapon: [167, 224],
  swapoff: [168, 225],
  reboot: [169, 142],
  sethostname: [170, 161],
  setdomainname: [171, 162],
  iopl: [172, undefined],
  ioperm: [173, undefined],
  create_module: [174, undefined],
  init_module: [175, 105],
  delete_module: [176, 106],
  query_module: [178, undefined],
  quotactl: [179, 60],
  nfsservctl: [180, 42],
  lookup_dcookie: [212, 18],
  clock_settime: [227, 112],
  kexec_load: [246, 104],
  add_key: [248, 217],
  request_key: [249, 218],
  keyctl: [250, 219],
  unshare: [272, 97],
  perf_event_open: [298, 241],
  fanotify_init: [300, 262],
  open_by_handle_at: [304, 265],
  clock_adjtime: [305, 266],
  setns: [308, 268],
  finit_module: [313, 273],
  kexec_file_load: [320, 294],
  bpf: [321, 280],
  userfaultfd: [323, 282],
  io_uring_setup: [425, 425],
  io_uring_enter: [426, 426],
  io_uring_register: [427, 427],
  open_tree: [428, 428],
  move_mount: [429, 429],
  fsopen: [430, 430],
  fsconfig: [431, 431],
  fsmount: [432, 432],
  fspick: [433, 433],
  clone3: [435, 435],
  mount_setattr: [442, 442],
  quotactl_fd: [443, 443],
};

const x64: Machine = { audit: 0xc000003e, foreignBit: 0x40000000, number: name => NUMBERS[name]?.[0] };
const arm64: Machine = { audit: 0xc00000b7, foreignBit: 0, number: name => NUMBERS[name]?.[1] };

/** By the name that Node gives the machine (`process.arch`). */
export const machines: Readonly<Record<string, Machine>> = { x64, arm64 };
