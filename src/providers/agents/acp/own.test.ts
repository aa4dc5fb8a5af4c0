import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Agent as Settings } from '../../../../contract/projects.ts';
import { startScriptedServer } from '../../../../test/harness/scripted-server.ts';
import type { QueuedRun, QueuedTask, ScriptedServer } from '../../../../test/harness/scripted-server.ts';
import { makeRepository, startWorker } from '../../../../test/harness/worker.ts';
import type { TestWorker } from '../../../../test/harness/worker.ts';
import { createOtherAcpAgent } from './index.ts';

// An agent of the user's own in real sandboxes, with what its project has said of it.

let server: ScriptedServer;
let worker: TestWorker;

beforeAll(async () => {
  server = await startScriptedServer();
  server.onGateway((_request, response) => response.end('{"jsonrpc":"2.0","id":1,"result":{"serverInfo":{"name":"skep"}}}'));
  worker = await startWorker(server, { agents: [createOtherAcpAgent()] });
});
afterAll(async () => {
  await worker.stop({ graceMs: 0 });
  await server.close();
});

/** It keeps what it was told in a folder of its HOME, and dies of a prompt that it has not heard before. */
const program = `#!/usr/bin/env node
const { existsSync, mkdirSync, readFileSync, writeFileSync } = require('node:fs');
const { createInterface } = require('node:readline');
const sessions = process.env.HOME + '/.mine/sessions';
const send = message => process.stdout.write(JSON.stringify({ jsonrpc: '2.0', ...message }) + '\\n');
const says = text => send({ method: 'session/update', params: { sessionId: 's-1', update: { sessionUpdate: 'agent_message_chunk', content: { type: 'text', text } } } });
createInterface({ input: process.stdin }).on('line', line => {
  const { id, method, params } = JSON.parse(line);
  if (method === 'initialize') return send({ id, result: { protocolVersion: 1, agentCapabilities: { loadSession: true } } });
  if (method === 'session/new') return send({ id, result: { sessionId: 's-1' } });
  if (method === 'session/load') {
    if (!existsSync(sessions + '/' + params.sessionId)) return send({ id, error: { code: -32603, message: 'unknown' } });
    says('loaded');
    return send({ id, result: {} });
  }
  if (method !== 'session/prompt') return;
  const file = sessions + '/s-1';
  const settings = readFileSync(process.env.HOME + '/.mine/settings.json', 'utf8');
  says(['mode ' + process.env.MINE_MODE, 'settings ' + settings, 'key ' + (process.env.MINE_API_KEY === process.env.SKEP_RUN_TOKEN)].join('\\n'));
  if (existsSync(file)) {
    says('\\nbefore: ' + readFileSync(file, 'utf8'));
    writeFileSync('done.txt', 'done\\n');
    return send({ id, result: { stopReason: 'end_turn' } });
  }
  mkdirSync(sessions, { recursive: true });
  writeFileSync(file, 'half of it');
  process.kill(process.pid, 'SIGKILL');
});
`;

const settings: Settings = {
  ...{ kind: 'acp', command: ['./agent.js', '--acp'], model: 'a/m' },
  env: { MINE_MODE: 'quiet', MINE_API_KEY: '${SKEP_RUN_TOKEN}' },
  home: { '.mine/settings.json': '{"base":"${SKEP_GATEWAY_URL}/v1","model":"${SKEP_MODEL}","left":"${HOME}"}' },
  conversations: '.mine/sessions',
};

async function ended(agent: Settings, task: QueuedTask = {}): Promise<QueuedRun> {
  const run = server.queue({ repository: makeRepository({ 'agent.js': program }), ...task, agent });
  await server.until(() => ['submitted', 'failed'].includes(run.state));
  return run;
}

const after = (run: QueuedRun): QueuedTask => ({
  continues: { run_id: run.id, conversation: true, ended: 'broken_off' },
  feedback: { round: 1, text: 'The agent was ended by SIGKILL', checks: [] },
});

it('has the variables and files of its project, and goes on with its conversation in another sandbox', async () => {
  const first = await ended(settings);
  expect([first.failure?.class, [...first.artifacts.keys()]]).toEqual(['agent_died', ['conversation']]);
  expect(first.log.toString()).toContain(
    'mode quiet\nsettings {"base":"http://127.0.0.1:7711/gateway/v1","model":"a/m","left":"${HOME}"}\nkey true\n',
  );
  const next = await ended(settings, after(first));
  expect([next.state, next.failure]).toEqual(['submitted', undefined]);
  expect(next.log.toString()).toContain('before: half of it');
  expect(next.log.toString()).not.toMatch(/loaded|a new one begins/);
});

it('without that folder keeps nothing, and each run begins anew', async () => {
  const { conversations: _, ...forgetful } = settings;
  const first = await ended(forgetful);
  expect([first.failure?.class, first.artifacts.size]).toEqual(['agent_died', 0]);
});
