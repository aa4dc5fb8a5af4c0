import { existsSync, readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Sandbox, Snapshot } from '../../src/worker/sandbox.ts';
import { sandboxFolder } from '../harness/sandbox-worker.ts';
import type { SandboxWorker } from '../harness/sandbox-worker.ts';
import { hasPython, hostileSpec, marked, program, run } from './hostile.ts';
import { chosen, startContained } from './providers.ts';
import { belowAttempt, lastingRows } from './table/limits.ts';

const lasting = lastingRows.filter(({ group }) => group === 'lasting');
const leaving: Readonly<Record<string, string>> = {
  'folders in one another, 3,000 deep': 'deep',
  'names that look like options, and folders that none may enter': 'names',
};

describe.each(chosen)('a hijacked agent that stays: $name', ({ provider, who, possible }) => {
  const home = sandboxFolder(who);
  let worker: SandboxWorker;
  let sandbox: Sandbox;
  const isPossible = possible && hasPython;
  const check = it.skipIf(!isPossible);

  beforeAll(async () => {
    if (!isPossible) return;
    worker = await startContained({ provider, who, folder: home.folder });
    sandbox = await worker.provider.create(hostileSpec('lasting'));
  });
  afterAll(async () => {
    await sandbox?.kill();
    await worker?.kill();
    home.remove();
  });

  check.each(lasting)('$attempt', async ({ attempt, answers }) => {
    const [how = '', when = ''] = attempt.split(', ');
    const isBrokenOff = when === 'when it is broken off';
    const mark = `lasting-${process.pid}-${how}-${isBrokenOff ? 'off' : 'end'}`;
    const off = new AbortController();
    const running = run(sandbox, program('lasting', how, mark, ...(isBrokenOff ? ['stay'] : [])), {
      signal: off.signal,
      // It says when what is to stay has begun to write.
      onOutput: (_, chunk) => void (isBrokenOff && chunk.includes('begun') && off.abort()),
    });
    const { exit } = await running;
    expect(exit).toMatchObject(isBrokenOff ? { reason: 'aborted' } : { reason: 'exited', code: 0 });

    // What it has written until then is all that it ever writes, and no process bears its mark.
    expect(marked(mark)).toEqual([]);
    const { stdout } = await run(sandbox, ['sh', '-c', 'wc -c < "$1"; sleep 0.3; wc -c < "$1"', 'sh', mark]);
    const [first = 0, second = 0] = stdout.trim().split('\n').map(Number);
    expect(first).toBeGreaterThan(0);
    expect(answers).toContain(first === second ? 'gone' : 'alive');
  });

  check.each(Object.entries(leaving))('%s: nothing is left on the host', async (_, bomb) => {
    const other = await worker.provider.create(hostileSpec('leaving'));
    const { stdout, stderr } = await run(other, program('bombs', bomb, 0));
    expect({ stdout, stderr }).toEqual({ stdout: 'reached', stderr: '' });
    expect(namesOf('leaving')).not.toEqual([]);
    await other.kill();
    expect(namesOf('leaving')).toEqual([]);
  });

  check('what the sandbox before it with the same name has written: it is not there', async () => {
    const probe = await worker.provider.probe();
    // Where nothing is apart only the workspace is its own.
    const places = probe.ok && probe.worth.isolation === 'none' ? ['/work'] : ['/work', '/tmp', '/dev/shm', '/home/agent'];
    const first = await worker.provider.create(hostileSpec('again'));
    await run(first, ['sh', '-c', 'for at in "$@"; do echo first > "$at/first"; done', 'sh', ...places]);
    await first.kill();
    const second = await worker.provider.create(hostileSpec('again'));
    const { stdout } = await run(second, ['find', ...places, '-mindepth', '1', '!', '-name', 'lost+found']);
    expect(stdout).toBe('');
    await second.kill();
  });

  check(`${belowAttempt}: it is as it was`, async () => {
    const first = await worker.provider.create(hostileSpec('below'));
    const names = 'below proc mapped linked linked2 renamed truncated moded marked punched one two';
    const made = `mkdir folder && echo file > folder/file && for at in ${names}; do echo "this is $at" > "$at"; done`;
    await run(first, ['sh', '-c', made]);
    const snapshot = await first.snapshot?.();
    if (snapshot === undefined) throw new Error('these sandboxes have no snapshots');
    const [agent, other] = [await begun('agent', snapshot), await begun('other', snapshot)];
    const look = [
      'sh',
      '-c',
      'find . -mindepth 1 -printf "%P %m %s %T@\\n" | sort; cat below proc mapped */file; ls -A',
    ] as const;
    const before = await run(other, look);
    expect(before.stdout).toContain('this is mapped');
    const { stdout } = await run(agent, program('layers'));
    expect(stdout).toMatch(/^opened throughProc mapped linked /);
    expect(stdout).not.toContain('steered');
    const late = await begun('late', snapshot);
    expect([await run(other, look), await run(late, look)].map(each => each.stdout)).toEqual([before.stdout, before.stdout]);
    await Promise.all([first, agent, other, late].map(each => each.kill()));
    await snapshot.remove();
  });

  function begun(id: string, from: Snapshot): Promise<Sandbox> {
    return worker.provider.create(hostileSpec(id, { from: [from] }));
  }

  it('leaves no row untried', () => {
    const tried = [...Object.keys(leaving), 'what the sandbox before it with the same name has written'];
    expect(lastingRows.filter(({ group }) => group === 'leaving').map(({ attempt }) => attempt)).toEqual(tried);
  });

  function namesOf(id: string): string[] {
    return existsSync(home.folder) ? readdirSync(home.folder).filter(name => name.startsWith(`${id}~`)) : [];
  }
});
