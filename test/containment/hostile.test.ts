import { dirname } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SandboxWorth } from '../../contract/fleet/sandboxes.ts';
import { allPids, processInfo } from '../../src/kernel/processes/info.ts';
import type { Sandbox } from '../../src/worker/sandbox.ts';
import { sandboxFolder } from '../harness/sandbox-worker.ts';
import type { SandboxWorker } from '../harness/sandbox-worker.ts';
import { plantCanaries } from './canaries.ts';
import type { Canaries } from './canaries.ts';
import { findBelow, gatewayLink, hasPython, hostileSpec, program, run } from './hostile.ts';
import { startProxied } from './proxied.ts';
import type { Proxied } from './proxied.ts';
import { contained, startContained, uidOf } from './providers.ts';
import { inside } from './table/inside.ts';
import { proxyRows } from './table/proxy.ts';
import { answersOf, isTried } from './table/row.ts';
import type { Row } from './table/row.ts';

interface Told {
  readonly [fact: string]: unknown;
  /** What the other sandbox holds. */
  readonly other?: Readonly<Record<string, string | number>> | undefined;
}

type Answers = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** Both are some seconds where the machine has nothing else to do. */
const attackMsMax = 180_000;
const holdMsMax = attackMsMax + 60_000;

/** Two sandboxes that attack the host and each other at the same time, each of them while it is attacked. */
describe.each(contained)('a hijacked agent in a sandbox: $name', ({ provider, who, possible }) => {
  const home = sandboxFolder(who);
  const ways = ['left', 'right'] as const;
  const holding = new AbortController();
  const answers: Record<string, Answers> = {};
  let canaries: Canaries;
  let worker: SandboxWorker;
  let worth: SandboxWorth;
  let before = '';
  let printed = '';
  const sandboxes: Sandbox[] = [];
  const networks: Proxied[] = [];
  const isPossible = possible && hasPython;

  beforeAll(async () => {
    if (!isPossible) return;
    canaries = await plantCanaries({ home: dirname(home.folder), uid: uidOf(who) });
    worker = await startContained({ provider, who, folder: home.folder, wrap: ['env', `SKEP_CANARY=${canaries.word()}`] });
    const probe = await worker.provider.probe();
    if (!probe.ok) throw new Error(probe.why);
    worth = probe.worth;
    const { tcpPort, databasePort } = canaries.facts;
    for (const way of ways) {
      const skep = { serverPort: Number(tcpPort), databasePort: Number(databasePort), key: canaries.word() };
      const network = await startProxied(skep);
      networks.push(network);
      sandboxes.push(await worker.provider.create(hostileSpec(way, { links: [gatewayLink, network.link] })));
    }
    const held = await Promise.all(sandboxes.map(sandbox => hold(sandbox)));
    before = canaries.hash();
    const found = await Promise.all(
      sandboxes.map((sandbox, i) => attack(sandbox, { ...networks[i]?.facts, other: held[1 - i] })),
    );
    ways.forEach((way, i) => (answers[way] = found[i] ?? {}));
  }, holdMsMax);
  afterAll(async () => {
    holding.abort();
    for (const sandbox of sandboxes) await sandbox.kill();
    await worker?.kill();
    for (const network of networks) network.close();
    canaries?.close();
    home.remove();
  });

  /** Resolves when it holds what the other is to look for. */
  function hold(sandbox: Sandbox): Promise<Readonly<Record<string, string | number>>> {
    const name = `held-by-${sandbox.id}-${process.pid}`;
    const places = worth.isolation === 'none' ? ['/work'] : ['/work', '/tmp', '/dev/shm'];
    return new Promise((resolve, reject) => {
      const onOutput = (stream: string, chunk: Buffer): void => {
        if (stream === 'stderr') return reject(new Error(chunk.toString()));
        const pid = allPids().find(
          each => processInfo(each)?.argv.some(word => word.endsWith('holder.py')) === true && isOf(each, name),
        );
        resolve({ ...(JSON.parse(chunk.toString()) as Record<string, string | number>), pid: pid ?? 0 });
      };
      const command = { argv: program('holder', name, canaries.word(), ...places), signal: holding.signal, onOutput };
      sandbox.exec({ ...command, timeoutMs: holdMsMax, outputBytesMax: 65_536 }).catch(reject);
    });
  }

  async function attack(sandbox: Sandbox, told: Told): Promise<Answers> {
    const otherFile = findBelow(home.folder, String(told.other?.['name'])) ?? 'unknown';
    const facts = {
      ...canaries.facts,
      ...told,
      ...{ otherFile, otherSocket: `${otherFile}.sock`, hostFolder: home.folder, placeholder: 'of-this-run' },
      ...{ only: tried(worth) },
    };
    // The sweep must find the one of its own workspace.
    const own = `skep-canary-${'0'.repeat(32)}`;
    await run(sandbox, ['sh', '-c', `echo ${own} > own`]);
    const { stdout, stderr, exit } = await run(sandbox, program('main'), {
      stdin: JSON.stringify(facts),
      env: { SECRET: 'of-this-run' },
      timeoutMs: attackMsMax,
    });
    printed += stdout + stderr;
    expect({ stderr, exit }).toEqual({ stderr: '', exit: { reason: 'exited', code: 0, durationMs: exit.durationMs } });
    return JSON.parse(stdout) as Answers;
  }

  const check = it.skipIf(!isPossible);

  check.each(inside)('$group: $attempt', row => {
    if (!isTried(row, worth)) return;
    for (const way of ways) expect(answersOf(row, worth)).toContain(answers[way]?.[row.group]?.[row.attempt]);
  });

  check('tries nothing that has no row, and leaves no row untried', () => {
    for (const way of ways) expect(namesOf(answers[way] ?? {})).toEqual(namesOf(tried(worth)));
  });

  check('asks no host through the proxy but those that are allowed, and each refusal is told', () => {
    const reasons = new Set(proxyRows.flatMap(({ answers: words }) => words.flatMap(word => word.split(', then '))));
    for (const network of networks) {
      expect(network.strange()).toEqual([]);
      expect([...new Set(network.reasons())].filter(reason => !reasons.has(reason)).sort()).toEqual(['not_tls', 'server_name']);
    }
  });

  check('has printed no canary, reached nothing that listens on the host, and changed no file of it', () => {
    if (worth.isolation === 'none') return;
    expect(printed.length).toBeGreaterThan(1_000);
    expect(canaries.in(printed)).toEqual([]);
    expect(canaries.reached).toEqual([]);
    expect(canaries.hash()).toBe(before);
  });
});

/** The attempts of each group that may be made. */
function tried(worth: SandboxWorth): Record<string, string[]> {
  const groups: Record<string, string[]> = {};
  for (const row of inside.filter((each: Row) => isTried(each, worth))) (groups[row.group] ??= []).push(row.attempt);
  return groups;
}

function namesOf(groups: Readonly<Record<string, readonly string[] | Readonly<Record<string, string>>>>): string[] {
  return Object.entries(groups).flatMap(([group, names]) =>
    (Array.isArray(names) ? (names as string[]) : Object.keys(names)).map(name => `${group}: ${name}`).sort(),
  );
}

function isOf(pid: number, name: string): boolean {
  return processInfo(pid)?.argv.includes(name) === true;
}
