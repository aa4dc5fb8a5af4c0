import { execFileSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { createDepot } from '../../src/support/repositories/depot/index.ts';
import type { BareRepository } from '../../src/support/repositories/depot/index.ts';
import type { Run } from '../../src/worker/run/run.ts';
import { restoreConversation } from '../../src/worker/run/saving/conversation.ts';
import type { Sandbox } from '../../src/worker/sandbox.ts';
import { sandboxFolder } from '../harness/sandbox-worker.ts';
import type { SandboxWorker } from '../harness/sandbox-worker.ts';
import { temporaryFolder } from '../harness/worker.ts';
import { bundles } from './bundles.ts';
import { hasPython, hostileSpec, PYTHON, run } from './hostile.ts';
import { chosen, startContained } from './providers.ts';
import { answerOf } from './reading.ts';
import { archiveRows } from './table/host.ts';

const answersOf = (name: string) => archiveRows.find(({ attempt }) => attempt === name)?.answers;
const smallBytes = 2 ** 21;

describe('the server takes in what a hijacked agent has packed', () => {
  let depot: BareRepository;
  beforeAll(async () => {
    depot = await (await createDepot({ folder: temporaryFolder(), clock: systemClock })).open('p');
  });

  it.each(Object.entries(bundles))('%s', async (name, make) => {
    const bytes = make();
    expect(bytes.length).toBeLessThan(10 * 2 ** 20);
    const received = depot.transfer.receive({ source: Readable.from([bytes]), branch: 'work', ref: 'refs/skep/runs/1' });
    const answer = await answerOf(received.then(() => (bytesBelow(depot.gitDir) < smallBytes ? 'stays small' : 'grows')));
    expect(answersOf(name)).toContain(answer);
    // Of what is refused nothing stays, and of none a file that is not git's.
    expect(readdirSync(depot.gitDir).filter(entry => entry.startsWith('incoming') || entry === 'outside')).toEqual([]);
    expect(bytesBelow(depot.gitDir)).toBeLessThan(smallBytes);
  });
});

const conversations: Readonly<Record<string, string>> = {
  'a conversation with ../outside': 'dots',
  'a conversation with an absolute path': 'absolute',
  'a conversation with a link and a file below it': 'link',
  'a conversation with a device': 'device',
  'a conversation that is no archive': 'rubbish',
};

describe.each(chosen)('a sandbox takes in the conversation of a hijacked agent: $name', ({ provider, who, possible }) => {
  const home = sandboxFolder(who);
  let worker: SandboxWorker;
  let sandbox: Sandbox;
  const check = it.skipIf(!possible || !hasPython);

  beforeAll(async () => {
    if (!possible) return;
    worker = await startContained({ provider, who, folder: home.folder });
    sandbox = await worker.provider.create(hostileSpec('archive', { keeps: true }));
  });
  afterAll(async () => {
    await sandbox?.kill();
    await worker?.kill();
    home.remove();
  });

  check.each(Object.entries(conversations))('%s', async (name, which) => {
    await run(sandbox, ['find', '/kept', '-mindepth', '1', '-delete']);
    const packed = execFileSync(PYTHON, [join(import.meta.dirname, '../fixtures/hostile/archives.py'), which]);
    const files = await restoreConversation(continuing(packed), sandbox);
    const outside = await run(sandbox, [
      'sh',
      '-c',
      'cat outside; find /kept ! -type f ! -type d ! -type l; find /kept -perm /6000',
    ]);
    expect(outside.stdout).toBe('');
    expect(answersOf(name)).toContain(files.length === 0 ? 'begins anew' : 'kept inside');
  });
});

it('leaves no row untried', () => {
  expect([...Object.keys(bundles), ...Object.keys(conversations)].sort()).toEqual(
    archiveRows.map(({ attempt }) => attempt).sort(),
  );
});

/** A run that goes on with what another has kept. */
function continuing(packed: Uint8Array): Run {
  return {
    claimed: { task: { continues: { run_id: 'r', conversation: true } } },
    tools: { clock: systemClock, log: silentLog, protocol: { conversation: () => Promise.resolve(packed) } },
    signal: new AbortController().signal,
  } as unknown as Run;
}

function bytesBelow(folder: string): number {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile());
  return files.reduce((bytes, { parentPath, name }) => bytes + statSync(join(parentPath, name)).size, 0);
}
