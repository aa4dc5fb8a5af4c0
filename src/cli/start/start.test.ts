import { execFileSync, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { skep } from '../../../test/harness/cli.ts';
import { buildSkepOnce } from '../../../test/harness/process.ts';
import { stopEmbedded } from '../../db/embedded/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'skep-start-'));
const home = join(folder, 'home');
const repository = join(folder, 'repository');
/** An agent that says that it runs and then waits until it is told to end. */
const agent = ['/bin/sh', '-c', 'echo begun; sleep 600'];
const shipped = join(import.meta.dirname, '../../../bin/skep');

interface Ready {
  readonly event: string;
  readonly url: string;
  readonly admin_token?: string;
}

// As it is shipped: from its sources each of these processes would be compiled anew.
beforeAll(buildSkepOnce, 120_000);

/** `skep start --json` as a process of its own. */
function start({ before = [], port = '0' }: { before?: readonly string[]; port?: string } = {}) {
  const skepStart = [process.execPath, shipped, 'start', '--json', '--port', port, '--home', home];
  const [program = '', ...args] = [...before, ...skepStart];
  const child = spawn(program, args, {
    env: { PATH: process.env['PATH'], SKEP_RETRY_MS: '0' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.push(child);
  const lines: Record<string, unknown>[] = [];
  let err = '';
  let rest = '';
  const waiting = new Map<string, (line: Record<string, unknown>) => void>();
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  child.stdout.on('data', (chunk: Buffer) => {
    const parts = (rest + chunk.toString()).split('\n');
    rest = parts.pop() ?? '';
    for (const part of parts) {
      const line = JSON.parse(part) as Record<string, unknown>;
      lines.push(line);
      waiting.get(String(line['event']))?.(line);
    }
  });
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, err, lines }));
  return {
    child,
    ended,
    /** The next line of that event, or the last one before it. */
    event: (name: string) =>
      new Promise<Record<string, unknown>>((resolve, reject) => {
        const before = lines.find(line => line['event'] === name);
        if (before !== undefined) resolve(before);
        else waiting.set(name, resolve);
        void ended.then(() => reject(new Error(`ended before ${name}: ${err}`)));
      }),
  };
}

const children: ChildProcess[] = [];
afterAll(async () => {
  for (const child of children) if (child.exitCode === null) child.kill('SIGKILL');
  await stopEmbedded(home);
  rmSync(folder, { recursive: true, force: true });
});

describe('skep start', () => {
  it('refuses before anything is started where no sandbox can be made', async () => {
    // In a mount namespace of its own nothing is where bubblewrap was.
    const hide = [
      'unshare',
      '--user',
      '--map-root-user',
      '--mount',
      'sh',
      '-c',
      'mount --bind /dev/null "$(command -v bwrap)" && exec "$@"',
      'sh',
    ];
    const { code, err } = await start({ before: hide }).ended;
    expect(code).toBe(7);
    expect(JSON.parse(err)).toMatchObject({ code: 'sandbox_unavailable', hint: expect.stringContaining('skep server') });
    expect(existsSync(join(home, 'postgres'))).toBe(false);
  });

  it('shows the admin token once; Ctrl-C waits for what runs, a second one hands it back', async () => {
    execFileSync('git', ['init', '--quiet', repository]);
    writeFileSync(join(repository, 'a'), '');
    execFileSync('git', ['-C', repository, 'add', '.']);
    execFileSync('git', ['-C', repository, '-c', 'user.name=a', '-c', 'user.email=a@b', 'commit', '--quiet', '-m', 'a']);
    chmodSync(folder, 0o755);

    const first = start();
    const { url, admin_token = '' } = (await first.event('ready')) as unknown as Ready;
    expect(admin_token).not.toBe('');
    const env = { SKEP_SERVER: url, SKEP_TOKEN: admin_token };
    expect((await skep(['project', 'create', 'demo', '--repository', repository, '--', ...agent], { env })).err).toBe('');
    expect((await skep(['ticket', 'create', '--project', 'demo', '--title', 'wait'], { env })).err).toBe('');
    const log = skep(['ticket', 'log', '1', '--follow'], {
      env,
      onOut: all => void (all.includes('begun') && first.child.kill('SIGINT')),
    });
    await first.event('stopping');
    first.child.kill('SIGINT');
    const { code, lines } = await first.ended;
    expect(code).toBe(130);
    expect(lines.map(line => line['event'])).toEqual(['started', 'ready', 'claimed', 'stopping', expect.any(String), 'stopped']);
    expect(existsSync(join(home, 'postgres', 'data', 'postmaster.pid'))).toBe(false);

    const second = start({ port: new URL(url).port });
    const ready = (await second.event('ready')) as unknown as Ready;
    expect(ready.admin_token).toBeUndefined();
    // The token of the first start holds, and the run that was handed back is tried again.
    expect(await second.event('claimed')).toMatchObject({ subject: { id: 'TKT-001' } });
    const shown = await skep(['ticket', 'show', '1', '--json'], { env });
    expect(JSON.parse(shown.out)).toMatchObject({ id: 'TKT-001', title: 'wait' });
    // Who watched the first run has come back by himself, and sees that it has ended.
    expect(await log).toMatchObject({ code: 0, out: expect.stringMatching(/^begun\n/) });
    second.child.kill('SIGTERM');
    await second.event('stopping');
    second.child.kill('SIGINT');
    expect((await second.ended).code).toBe(0);
    expect(existsSync(join(home, 'postgres', 'data', 'postmaster.pid'))).toBe(false);
  }, 60_000);
});
