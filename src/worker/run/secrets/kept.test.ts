import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startScriptedServer } from '../../../../test/harness/scripted-server.ts';
import type { QueuedRun, QueuedTask, ScriptedServer } from '../../../../test/harness/scripted-server.ts';
import { silentLog } from '../../../kernel/log.ts';
import type { Log } from '../../../kernel/log.ts';
import { git, makeRepository, startWorker } from '../../../../test/harness/worker.ts';
import type { TestWorker } from '../../../../test/harness/worker.ts';

let server: ScriptedServer;
let worker: TestWorker;
const key = 'k3y-of-the-operator';
const credential = { hosts: ['a.test'], header: 'authorization', value: `Bearer ${key}` };
const withKey = { credentials: new Map([['it', credential]]), ownPorts: () => [] };

beforeAll(async () => {
  server = await startScriptedServer();
  worker = await startWorker(server, { network: withKey });
});
afterAll(async () => {
  await worker.stop({ graceMs: 0 });
  await server.close();
});

async function ended(task: QueuedTask): Promise<QueuedRun> {
  const run = server.queue({ repository: makeRepository({ 'README.md': 'hello\n' }), ...task });
  await server.until(() => run.state === 'submitted' || run.state === 'failed');
  return run;
}

const sh = (...lines: string[]) => ['sh', '-c', lines.join('\n')];
/** Of which the command line does not tell it. */
const printsKey = 'printf "k3y-of"; sleep 0.3; echo "-the-operator ends"';
/** Of which nothing is seen where control characters are taken out. */
const hidesKey = String.raw`printf "k3y-\001of-the-""operator\n"`;

describe('what is kept of a run', () => {
  it('has nowhere the token that its agent had, in no letters that are looked for', async () => {
    const command = sh(
      'half=${SKEP_RUN_TOKEN%?????????}; printf "said $half"; sleep 0.4; echo "${SKEP_RUN_TOKEN#$half}"',
      'printf %s "$SKEP_RUN_TOKEN" | od -An -v -tx1 | tr -d " \\n"; echo; printf %s "$SKEP_RUN_TOKEN" | base64 -w 0; echo',
      'env | grep TOKEN >&2; echo "that was it"; exit 3',
    );
    const run = await ended({ agent: { kind: 'exec', command, model: 'm' } });
    const log = run.log.toString();
    // Its two streams come as they like.
    expect(log).toMatch(/^said \*+\n\*+\n\*+[^*\n]{0,2}\n/);
    expect(log.split('\n').slice(3).sort()).toEqual(['', expect.stringMatching(/^SKEP_RUN_TOKEN=\*+$/), 'that was it']);
    expect(run.failure?.class).toBe('agent_failed');
    expect(run.failure?.message).toMatch(/it printed at last:\nsaid \*+\n/);
    expect(JSON.stringify([log, run.failure, run.events])).not.toContain('skeprun_');
  });

  it('has no key of the worker that a check prints', async () => {
    const run = await ended({ subject: 'review', agent: null, checks: [{ name: 'test', command: sh(printsKey, hidesKey) }] });
    expect(run.log.toString()).toMatch(/\n\*{19} ends\nk3y-/);
    const output_tail = `${'*'.repeat(19)} ends\n${'*'.repeat(19)}\n`;
    expect(run.result?.checks).toMatchObject([{ outcome: 'exited', exit_code: 0, output_tail }]);
  });

  it('has none of which a check or an agent prints a half, then something on its other stream, and then the rest', async () => {
    const between = 'sleep 0.3; echo between >&2; sleep 0.3';
    const checked = await ended({
      ...{ subject: 'review', agent: null },
      checks: [{ name: 'test', command: sh(`printf "k3y-of"; ${between}; echo "-the-operator ends"`) }],
    });
    const command = sh(
      `half=\${SKEP_RUN_TOKEN%?????????}; printf "$half"; ${between}; echo "\${SKEP_RUN_TOKEN#$half} ends"`,
      'exit 3',
    );
    const worked = await ended({ agent: { kind: 'exec', command, model: 'm' } });
    for (const run of [checked, worked]) expect(run.log.toString()).toMatch(/between\n\*{19,} ends\n/);
  });

  it('has none that a setup command prints before it fails', async () => {
    const repository = makeRepository({ 'README.md': 'hello\n' });
    const origin = git(repository, 'rev-parse', 'HEAD');
    const run = await ended({ repository, setup: sh(printsKey, 'exit 3'), origin, base: origin });
    expect(run.failure).toMatchObject({ class: 'setup', message: expect.stringMatching(/at last:\n\*{19} ends$/) as string });
    expect(`${run.log.toString()}${run.failure?.message ?? ''}`).not.toContain(key);
  });

  it('has none in the words of git about a file that an agent named', async () => {
    const command = sh('name="k3y-of-""the-operator"; echo x > "$name"; chmod 0 "$name"');
    const run = await ended({ agent: { kind: 'exec', command } });
    expect(run.failure).toMatchObject({ class: 'agent_failed', message: expect.stringContaining('*'.repeat(19)) as string });
    expect(run.failure?.message).not.toContain(key);
  });

  it('has none in what its worker logs of work that could not be saved', async () => {
    const lines: string[] = [];
    const log: Log = { ...silentLog, debug: facts => void lines.push(JSON.stringify(facts)), child: () => log };
    const own = await startScriptedServer();
    const talking = await startWorker(own, { log, network: withKey });
    const command = sh('name="k3y-of-""the-operator"; echo x > "$name"; chmod 0 "$name"; kill -KILL $$');
    const run = own.queue({ repository: makeRepository({ 'README.md': 'hello\n' }), agent: { kind: 'exec', command } });
    await own.until(() => run.state === 'failed');
    await talking.stop({ graceMs: 0 });
    await own.close();
    expect(lines.filter(line => line.includes('*'.repeat(19)))).toHaveLength(1);
    expect(lines.join()).not.toContain(key);
  });
});
