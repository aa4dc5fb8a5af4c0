import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AttemptEnd } from '../../../../contract/runs.ts';
import { startScriptedServer } from '../../../../test/harness/scripted-server.ts';
import type { QueuedRun, QueuedTask, ScriptedServer } from '../../../../test/harness/scripted-server.ts';
import { makeRepository, startWorker, temporaryFolder } from '../../../../test/harness/worker.ts';
import type { TestWorker } from '../../../../test/harness/worker.ts';
import { outcomeOf } from '../../../providers/agents/outcome.ts';
import type { Agent } from '../../agent.ts';

/** What the agent does is its stdin: a script. What it is told of an earlier conversation comes in front of it. */
const keeping: Agent = {
  kind: 'exec',
  needs: async () => ({ kind: 'met', folders: [], gateway: false, keeps: true }),
  async run({ settings, kept, promptAgain, env, start, onOutput, ...limits }) {
    const script = settings.kind === 'exec' ? (settings.command[0] ?? '') : '';
    if (kept.length > 0) onOutput(Buffer.from(`kept ${[...kept].sort().join(' ')}\n${promptAgain}\n`));
    const exit = await start({ argv: ['sh', '-c', script], env, stdin: '', onOutput: (_stream, chunk) => onOutput(chunk) });
    return outcomeOf(exit, limits, 'there is no sh');
  },
};

let server: ScriptedServer;
let worker: TestWorker;

beforeAll(async () => {
  server = await startScriptedServer();
  worker = await startWorker(server, { agents: [keeping] });
});
afterAll(async () => {
  await worker.stop({ graceMs: 0 });
  await server.close();
});

const repository = makeRepository({ 'README.md': 'hello\n' });

async function ended(script: string, task: QueuedTask = {}): Promise<QueuedRun> {
  const run = server.queue({ repository, ...task, agent: { kind: 'exec', command: [script] } });
  await server.until(() => ['submitted', 'parked', 'failed'].includes(run.state));
  return run;
}

const after = (run: QueuedRun, how: AttemptEnd = 'broken_off'): QueuedTask => ({
  continues: { run_id: run.id, conversation: true, ended: how },
  feedback: { round: 1, text: 'The agent was ended by SIGKILL', checks: [] },
});

const dying = 'mkdir -p /kept/a; echo said > /kept/a/b.jsonl; echo more > "/kept/c d"; kill -KILL $$';

describe('the conversation of an agent', () => {
  it('is kept, and there for the agent of the next run', async () => {
    const first = await ended(dying);
    expect(first.failure?.class).toBe('agent_died');
    expect([...first.artifacts.keys()]).toEqual(['conversation']);
    const next = await ended('cat /kept/a/b.jsonl "/kept/c d"; echo again >> /kept/a/b.jsonl; kill -KILL $$', after(first));
    expect(next.log.toString()).toContain('kept a/b.jsonl c d\nYou were broken off in the middle of your work');
    expect(next.log.toString()).toContain('The agent was ended by SIGKILL');
    expect(next.log.toString()).toMatch(/said\nmore\n$/);
    const last = await ended('cat /kept/a/b.jsonl; echo x > x', after(next));
    expect(last.log.toString()).toMatch(/said\nagain\n$/);
    // What a review finds wrong with it is told to the same agent.
    expect([last.state, [...last.artifacts.keys()]]).toEqual(['submitted', ['conversation']]);
    const mended = await ended('cat /kept/a/b.jsonl; echo y > x', after(last, 'returned'));
    expect(mended.log.toString()).toMatch(
      /What you handed in for ticket [^\n]+ was checked, and is not good enough yet[^]*said\nagain\n$/,
    );
  });

  it('is not kept where there is none, or where it is larger than 32 MiB', async () => {
    const none = await ended('kill -KILL $$');
    const large = await ended('head -c 35000000 /dev/urandom > /kept/noise; kill -KILL $$');
    for (const run of [none, large]) expect([run.failure?.class, run.artifacts.size]).toEqual(['agent_died', 0]);
  });

  it.each([
    ['is not there', undefined],
    ['is no archive', Buffer.from('no archive')],
  ])('that %s lets the agent begin anew', async (_, artifact) => {
    const first = server.queue({ repository, agent: { kind: 'exec', command: ['kill -KILL $$'] } });
    await server.until(() => first.state === 'failed');
    if (artifact !== undefined) (first.artifacts as Map<string, Buffer>).set('conversation', artifact);
    const next = await ended('ls -A /kept; echo x > x', after(first));
    expect([next.state, next.log.toString()]).toEqual(['submitted', '']);
  });

  it('hides neither the failure nor the work where there is no place for it', async () => {
    const folder = temporaryFolder();
    const full: Agent = {
      ...keeping,
      run: context => keeping.run(context).finally(() => rmSync(join(folder, 'runs'), { recursive: true })),
    };
    const own = await startScriptedServer();
    const unlucky = await startWorker(own, { folder, agents: [full] });
    const run = own.queue({ repository, agent: { kind: 'exec', command: [`echo half > half; ${dying}`] } });
    await own.until(() => run.state === 'failed');
    expect([run.failure?.class, run.result?.summary, run.artifacts.size]).toEqual([
      'agent_died',
      '1 file changed, 1 insertion(+)',
      0,
    ]);
    await unlucky.stop({ graceMs: 0 });
    await own.close();
  });

  it('that breaks off in the middle leaves nothing of it to the agent that begins anew', async () => {
    const packed = execFileSync('sh', [
      '-c',
      'cd "$(mktemp -d)" && echo said > session-1.jsonl && head -c 200000 /dev/urandom > z && tar -czf - session-1.jsonl z | head -c 100000',
    ]);
    const first = await ended('kill -KILL $$');
    (first.artifacts as Map<string, Buffer>).set('conversation', packed);
    const next = await ended('ls -A /kept; echo x > x', after(first));
    expect([next.state, next.log.toString()]).toEqual(['submitted', '']);
  });

  it('is not waited for where the server refuses it', async () => {
    const first = await ended(dying);
    server.answerWith(403, /\/conversation$/);
    const next = await ended('echo x > x', after(first));
    server.answerWith(undefined);
    expect([next.state, next.log.toString()]).toEqual(['submitted', '']);
  });

  it('cannot lead out of its folder, nor leave what the next sandbox cannot remove', async () => {
    const packed = execFileSync(
      'sh',
      [
        '-c',
        'cd "$(mktemp -d)" && ln -s ../../.git link && mkdir sub && touch ../up sub/file && chmod 0 sub/file && tar -Pczf - ../up link sub',
      ],
      { maxBuffer: 1_048_576 },
    );
    const first = await ended('kill -KILL $$');
    (first.artifacts as Map<string, Buffer>).set('conversation', packed);
    const next = await ended('ls -A / . /kept; echo x > x', after(first));
    expect(next.state).toBe('submitted');
    expect(next.log.toString()).not.toMatch(/^up$/m);
  });
});
