import { closeSync, openSync, readFileSync, readlinkSync, readSync } from 'node:fs';
import { systemClock } from '../../src/kernel/clock.ts';
import { allPids, processInfo } from '../../src/kernel/processes/info.ts';

/**
 * What programs of a sandbox tried to reach, as its kernel counted. A sandbox has the addresses of its own loopback and no others: a
 * connection to anybody else has no route, and a question for a name goes to a port where nobody listens. What goes by the proxy is
 * not among these: the proxy tells of each refusal itself.
 */
export interface Attempts {
  /** Connections and packets to addresses that are not the sandbox's. */
  readonly unrouted: number;
  /** Datagrams, by which names are asked for. */
  readonly datagrams: number;
  /** Connections to a port of the sandbox where nobody listens. */
  readonly refused: number;
}

/** One sandbox. */
export interface Heard {
  /** Of the agent that was seen in it; undefined where there was none, as where checks are run. */
  readonly kind: string | undefined;
  readonly attempts: Attempts;
}

export interface Silence {
  /** From now on the sandboxes of this worker are looked at, however they end. */
  add(pid: number): void;
  /** Of each sandbox that there was since this was asked last. */
  heard(): readonly Heard[];
  close(): void;
}

interface Network {
  /** Open files of its counters: while they are, they can be read, also when all its processes are dead. */
  readonly files: readonly [number, number];
  readonly pids: Set<number>;
  kind: string | undefined;
  before: Attempts;
}

const lookEveryMs = 100;
/** Where a process belongs shows soon after its start; to look at all of a busy machine again and again would slow it down. */
const looksMax = 10;

/** Looks from outside, so that nothing of an agent's way is another for it, and that its last breath counts too. */
export function watchSandboxes(): Silence {
  const roots = new Set<number>();
  const networks = new Map<string, Network>();
  const own = networkOf(process.pid);
  /** Networks of others, and a process of each: its name may be given to a later one of ours. */
  const others = new Map<string, number>();
  const looks = new Map<number, number>();
  const closing = new AbortController();
  void lookAgainAndAgain();

  async function lookAgainAndAgain(): Promise<void> {
    while (!closing.signal.aborted) {
      look();
      await systemClock.sleep(lookEveryMs, closing.signal);
    }
  }

  function look(): void {
    if (roots.size === 0) return;
    const pids = allPids();
    const isThere = new Set(pids);
    for (const pid of looks.keys()) if (!isThere.has(pid)) looks.delete(pid);
    for (const pid of pids) {
      const count = looks.get(pid) ?? 0;
      if (count >= looksMax) continue;
      looks.set(pid, count + 1);
      const name = networkOf(pid);
      if (name === undefined || name === own || networkOf(others.get(name) ?? 0) === name) continue;
      const network = networks.get(name) ?? open(name, pid);
      if (network === undefined) continue;
      network.pids.add(pid);
      network.kind ??= kindOf(pid);
    }
  }

  function open(name: string, pid: number): Network | undefined {
    // Of another worker of this machine.
    if (!hasRoot(pid)) return void others.set(name, pid);
    try {
      const files = [openSync(`/proc/${pid}/net/snmp`, 'r'), openSync(`/proc/${pid}/net/snmp6`, 'r')] as const;
      const network = { files, pids: new Set<number>(), kind: undefined, before: { unrouted: 0, datagrams: 0, refused: 0 } };
      networks.set(name, network);
      return network;
    } catch {
      return undefined;
    }
  }

  function hasRoot(pid: number): boolean {
    for (let each = pid; each > 1; each = parentOf(each)) if (roots.has(each)) return true;
    return false;
  }

  function closeNetwork([name, { files }]: readonly [string, Network]): void {
    for (const file of files) closeSync(file);
    networks.delete(name);
  }

  return {
    add: pid => void roots.add(pid),
    heard() {
      look();
      return [...networks].map(([name, network]) => {
        const now = countsOf(network.files);
        const { before, kind } = network;
        network.before = now;
        if (![...network.pids].some(pid => networkOf(pid) === name)) closeNetwork([name, network]);
        return {
          kind,
          attempts: {
            unrouted: now.unrouted - before.unrouted,
            datagrams: now.datagrams - before.datagrams,
            refused: now.refused - before.refused,
          },
        };
      });
    },
    close() {
      closing.abort();
      for (const entry of networks) closeNetwork(entry);
    },
  };
}

/** In words, without what is none. */
export function wordsOf(heard: readonly Heard[]): string[] {
  const all = heard.flatMap(({ attempts }) => Object.entries(attempts));
  return all.filter(([, count]) => count > 0).map(([what, count]) => `${what} ${count}`);
}

function networkOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`);
  } catch {
    return undefined;
  }
}

/** By where its program lies in the sandbox. */
function kindOf(pid: number): string | undefined {
  const words = processInfo(pid)?.argv ?? [];
  return words.map(word => /^\/skep\/agents?\/(\w+)\//.exec(word)?.[1]).find(kind => kind !== undefined);
}

function parentOf(pid: number): number {
  try {
    return Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
  } catch {
    return 0;
  }
}

function countsOf([v4, v6]: readonly [number, number]): Attempts {
  const lines = textOf(v4)
    .trim()
    .split('\n')
    .map(line => line.split(/\s+/));
  // A line of names and one of numbers for each protocol.
  const all = Object.fromEntries([
    ...lines.flatMap(([protocol = '', ...names], at) =>
      at % 2 === 1 ? [] : names.map((name, i) => [protocol.replace(':', '') + name, Number(lines[at + 1]?.[i + 1])] as const),
    ),
    ...textOf(v6)
      .trim()
      .split('\n')
      .map(line => line.split(/\s+/))
      .map(([name = '', value]) => [name, Number(value)] as const),
  ]) as Readonly<Record<string, number>>;
  const sum = (...names: readonly string[]): number => names.reduce((total, name) => total + (all[name] ?? Number.NaN), 0);
  return {
    unrouted: sum('IpOutNoRoutes', 'Ip6OutNoRoutes'),
    datagrams: sum('UdpOutDatagrams', 'Udp6OutDatagrams'),
    refused: sum('TcpAttemptFails'),
  };
}

const bytesMax = 65_536;

function textOf(file: number): string {
  const bytes = Buffer.alloc(bytesMax);
  let size = 0;
  for (let read = 1; read > 0; size += read) read = readSync(file, bytes, size, bytesMax - size, size);
  return bytes.toString('utf8', 0, size);
}
