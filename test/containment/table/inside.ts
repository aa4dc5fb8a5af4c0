import { proxyRows } from './proxy.ts';
import { rows } from './row.ts';
import type { Row } from './row.ts';

const read = rows('read', 'S22');
const write = rows('write', 'S23');
const calls = rows('calls', 'S24');
const network = rows('network', 'S25');
const secrets = rows('secrets', 'S28');
const beside = rows('beside', 'S32');
const honest = rows('honest', 'S75');

const open = ['reached'];
const denied = ['EPERM', 'EACCES', 'ENOENT', 'EROFS'];
const byNetwork = { guard: 'network', open } as const;

const reading: readonly Row[] = [
  ...read(['ENOENT'], ['read a file of the host that everybody may read', 'list /sys'], { open }),
  ...read(
    ['ENOENT'],
    [
      ...[
        'read /etc/shadow',
        'see a process of the host',
        'read a file of the host in a folder of mode 0700',
        'read the settings in the home of Skep',
      ],
      ...['list the home of root', 'list the other trees of the host', 'find keys of a user'],
      ...['find the socket of a container engine', 'find a bus or an agent of the user', 'read the id of the machine'],
      ...['learn the name of the host', 'see processes that are not its own', 'find a descriptor that was left open'],
    ],
  ),
  ...read(['ENOENT', 'EACCES'], ['read /proc/1/environ for a secret']),
  ...read(
    ['ENOENT'],
    ['read /proc/1/cmdline for a path of the host', ...['open /dev/mem', 'open /dev/kmsg', 'open a disk of the host']],
  ),
  ...read(['ENOENT', 'empty'], ['list /var', 'list /run', 'learn the name servers of the host']),
  ...read([...denied, 'empty'], ['read /proc/kcore', 'read /proc/keys']),
  ...read(denied, [
    'read the pages of the machine',
    ...['read a file of the host by the root of process 1', 'read a file of the host by the folder of process 1'],
  ]),
  ...read(['nothing'], ['search all that can be opened for a canary']),
];

const writing: readonly Row[] = [
  ...write(
    ['ENOENT'],
    [
      'write a file of the host that everybody may write',
      'make a file in a folder of the host that everybody may write',
      'write the workspace of another sandbox',
    ],
  ),
  ...write(denied, [
    ...['write /proc/sys/kernel/core_pattern', 'write /proc/sys/kernel/modprobe', 'write /proc/sys/vm/overcommit_memory'],
    ...['write /proc/sysrq-trigger', 'write a cgroup', 'write a hook of the kernel under /sys'],
  ]),
  ...write(
    ['EROFS'],
    [
      ...['write /', 'write /usr', 'write /etc', 'write /home', 'write /skep'],
      ...['give everybody the right to write what the platform shows', 'remove the socket of the platform'],
    ],
  ),
  ...write(['EROFS', 'EACCES'], ['write /dev', 'write /etc/passwd', 'change a file that the platform shows']),
  ...write(['EROFS', 'EBUSY', 'EXDEV'], ['put another in place of a folder of the platform']),
  ...write(['EROFS', 'EACCES', 'ETXTBSY', 'EPERM', 'ENOENT'], ['write the program that runs', 'write the program of process 1']),
  ...write(['EXDEV', 'EPERM'], ['link a program of the host into the workspace']),
  ...write(
    ['EPERM', 'EINVAL'],
    ['make a device', 'give a file to root', 'give a program capabilities', 'become root', 'join the groups of root'],
  ),
  ...write(
    ['no new rights'],
    ['become root by a program of the host that is setuid', 'become another by a program in the workspace that is setuid'],
  ),
  ...write(
    ['EPERM', 'EACCES'],
    ['map a user of the host', 'raise a limit that it has', 'run before all others', 'run in real time'],
  ),
  ...write(['EACCES', 'EPERM'], ['be the last that is killed for want of memory']),
  ...write(['ESRCH'], ['signal a process of the host']),
  ...write(['no core'], ['leave a core file by a crash']),
];

const calling: readonly Row[] = [
  ...calls(
    ['EPERM'],
    [
      ...[
        'mount',
        'mount again what is read-only',
        'umount2',
        'pivot_root',
        'chroot',
        'open_tree',
        'move_mount',
        'mount_setattr',
      ],
      ...['fsopen', 'fsconfig', 'fsmount', 'fspick'],
      ...['mount', 'cgroup', 'host name', 'IPC', 'user', 'pid', 'network'].map(name => `unshare the namespace: ${name}`),
      ...['unshare a user namespace, with an upper bit', 'clone with a user namespace', 'setns'],
    ],
  ),
  ...calls(['EPERM', 'EACCES'], ['setns to the mounts of process 1']),
  ...calls(
    ['EPERM'],
    [
      ...['keyctl', 'add_key', 'request_key', 'io_uring_setup', 'io_uring_enter', 'userfaultfd', 'bpf', 'perf_event_open'],
      ...['kexec_load', 'kexec_file_load', 'init_module', 'finit_module', 'delete_module', 'open_by_handle_at', 'fanotify_init'],
      ...['quotactl', 'swapon', 'acct', 'reboot', 'settimeofday', 'clock_settime', 'sethostname', 'syslog'],
      ...['TIOCSTI', 'TIOCSTI, with an upper bit', 'TIOCLINUX', 'TIOCSETD'],
    ],
  ),
  ...calls(['EPERM', 'ENOSYS'], ['iopl', 'personality of another layout', 'personality of another layout, with an upper bit']),
  ...calls(['ENOSYS'], ['clone3', 'a call newer than the filter']),
  ...calls(['ENOSYS', 'SIGSYS', 'no such table'], ['a call of the x32 table']),
  ...calls(['SIGSYS', 'no such gate'], ['a call of 32 bits']),
  ...calls(
    ['EAFNOSUPPORT'],
    ['VSOCK', 'VSOCK, with an upper bit', 'PACKET', 'ALG', 'BLUETOOTH', 'KEY', 'CAN', 'TIPC', 'XDP'].map(
      name => `socket AF_${name}`,
    ),
  ),
  ...calls(
    ['EPROTONOSUPPORT'],
    ['socket NETLINK_AUDIT', 'socket NETLINK_KOBJECT_UEVENT', 'socket NETLINK_NETFILTER', 'socket SCTP'],
  ),
  ...calls(['EPERM'], ['raw socket']),
];

const reaching: readonly Row[] = [
  ...network(['ECONNREFUSED'], ['TCP to a port of the host', 'TCP to the database of the host'], byNetwork),
  ...network(['ECONNREFUSED'], ['UDP to a port of the host'], byNetwork),
  ...network(['ECONNREFUSED', 'EADDRNOTAVAIL', 'ENETUNREACH'], ['TCP to a port of the host by IPv6'], { guard: 'network' }),
  // Docker switches IPv6 off.
  ...network(['ENETUNREACH', 'EADDRNOTAVAIL'], ['TCP to the world by IPv6'], { guard: 'network' }),
  ...network(
    ['ENETUNREACH'],
    [
      ...['TCP to an address of the host', 'TCP to the world', 'UDP to the world'],
      ...['a name server by UDP', 'a name server by TCP', 'the metadata of a cloud'],
      ...['everybody on the network by broadcast', 'everybody on the network by multicast'],
    ],
    { guard: 'network' },
  ),
  ...network(['ENETUNREACH', 'EACCES', 'EPERM'], ['ICMP to the world'], { guard: 'network' }),
  ...network(['no answer'], ['the address of a name'], { guard: 'network' }),
  ...network(['lo alone'], ['an interface of the host'], byNetwork),
  ...network(['EPERM'], ['an interface of its own making'], { guard: 'network' }),
  ...network(['ECONNREFUSED'], ['an abstract unix socket of the host'], byNetwork),
  ...network(
    ['ENOENT'],
    ['a unix socket of the host by its path', 'an agent of keys of the host', 'a container engine of the host'],
    { open },
  ),
];

const others: readonly Row[] = [
  ...secrets(['its own'], ['a variable of the worker']),
  ...secrets(['ENOENT'], ['a variable of another process', 'a setting of git of the host', 'a place where keys are asked for']),
  ...beside(
    ['ENOENT'],
    [
      ...['its file in /tmp', 'its file in /dev/shm', 'its file in the workspace', 'its workspace by the path on the host'],
      ...['its System V memory', 'its message queue', 'its unix socket by the path on the host'],
    ],
  ),
  ...beside(['ECONNREFUSED'], ['its TCP port', 'its abstract unix socket'], byNetwork),
  ...beside(
    ['ESRCH'],
    [
      ...['a signal to its process', 'ptrace of its process', 'the memory of its process', 'a handle of its process'],
      ...['the processors of its process', 'the limits of its process'],
    ],
  ),
];

/** What test/fixtures/hostile/main.py tries. */
export const inside: readonly Row[] = [
  ...reading,
  ...writing,
  ...calling,
  ...reaching,
  ...proxyRows,
  ...others,
  ...honest(
    ['reached'],
    [
      ...['a TCP socket', 'an IPv6 socket', 'a unix socket', 'a NETLINK_ROUTE socket', 'a server on its own loopback', 'ptrace'],
      ...['threads', 'programs', 'write /work', 'write /tmp', 'write its home', 'write /dev/shm', 'write /dev/null'],
      ...['read /etc/passwd', 'read /dev/urandom', 'the way that the platform has opened'],
    ],
    { open },
  ),
];
