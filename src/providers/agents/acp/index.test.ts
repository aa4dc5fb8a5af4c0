import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { AgentContext, AgentProgram, AgentSettings, SessionUpdate } from '../../../worker/agent.ts';
import type { AcpEvent, AcpTurn } from '../../../worker/host/acp-turn.ts';
import type { SandboxExit } from '../../../worker/sandbox.ts';
import { createInstalls } from '../install/installs.ts';
import { acpKinds } from './agents.ts';
import { createAcpAgent, createOtherAcpAgent } from './index.ts';

const installs = createInstalls('/nowhere');
const exited: Partial<SandboxExit> & Pick<SandboxExit, 'reason'> = { reason: 'exited', code: 0 };
const recorded = (name: string): string => readFileSync(join(import.meta.dirname, `recorded/${name}.jsonl`), 'utf8');
const told = (...events: AcpEvent[]): string => events.map(event => `${JSON.stringify(event)}\n`).join('');
const says = (text: string): AcpEvent => ({
  event: 'update',
  update: { sessionUpdate: 'agent_message_chunk', content: { type: 'text', text } },
});
const ended = (stopReason: string): AcpEvent => ({ event: 'ended', stopReason, inputTokens: 1, outputTokens: 1 });

async function turn(settings: AgentSettings, printed: string, exit = exited) {
  const updates: SessionUpdate[] = [];
  const started: AgentProgram[] = [];
  const context: AgentContext = {
    ...{ settings, task: '{}', prompt: 'Do it', promptAgain: 'Go on', kept: [], env: { SKEP_RUN_TOKEN: 'skeprun_x' } },
    ...{ timeoutMs: 1_000, outputBytesMax: 1_000, gatewayUrl: 'http://g', node: 'node', inside: '/inside' },
    onUpdate: update => void updates.push(update),
    onOutput: () => {},
    async start(program) {
      started.push(program);
      program.onOutput('stdout', Buffer.from(printed));
      return { ...exit, durationMs: 7 } as SandboxExit;
    },
  };
  const agent = settings.kind === 'acp' ? createOtherAcpAgent(installs) : createAcpAgent(settings.kind as 'gemini', installs);
  return { outcome: await agent.run(context), updates, program: started[0] };
}

describe.each(acpKinds)('%s, as it was recorded', kind => {
  const settings = { kind, model: 'a/m' } as const;

  it('is done, and shows what it did', async () => {
    const { outcome, updates, program } = await turn(settings, recorded(`${kind}-done`));
    expect(outcome).toEqual({ kind: 'done', stopReason: 'end_turn', durationMs: 7 });
    const titles = updates.flatMap(update => (update.sessionUpdate === 'tool_call' ? [`${update.kind} ${update.title}`] : []));
    expect(titles).toContain('execute echo no >&2; exit 3');
    const ends = updates.flatMap(update => (update.sessionUpdate === 'tool_call_update' ? [update.output.trim()] : []));
    expect(ends).toContain('no');
    expect(updates.slice(-2)).toMatchObject([{ sessionUpdate: 'agent_message_chunk', text: 'All done.' }, {}]);
    expect(JSON.stringify([program?.argv, program?.home, program?.stdin])).not.toContain('skeprun_x');
    const asked = JSON.parse(program?.stdin ?? '') as AcpTurn;
    expect(asked).toMatchObject({ prompt: 'Do it', promptAgain: 'Go on', mcpUrl: 'http://g/mcp' });
    expect(asked.sessionFile).toBe('/kept/skep-session.json');
    expect(asked.byMinute).toBe(kind === 'gemini' ? '/kept' : undefined);
  });

  it('has failed with the words of the gateway where the budget is spent', async () => {
    const { outcome } = await turn(settings, recorded(`${kind}-spent`));
    expect(outcome).toMatchObject({ kind: 'failed', class: 'agent_failed' });
    expect(outcome.kind === 'failed' && outcome.message).toContain('The budget is spent');
  });
});

describe('an agent that speaks ACP', () => {
  const settings: AgentSettings = { kind: 'acp', command: ['some-agent', '--acp'], model: 'a/m' };

  it('is the command of the project, with the gateway by the names that most look for', async () => {
    const { program } = await turn(settings, told(says('Done.'), ended('end_turn')));
    expect((JSON.parse(program?.stdin ?? '') as AcpTurn).argv).toEqual(['some-agent', '--acp']);
    expect(program?.env).toMatchObject({ SKEP_MODEL: 'a/m', OPENAI_BASE_URL: 'http://g/v1', ANTHROPIC_API_KEY: 'skeprun_x' });
  });

  it('is a bridge that Skep installs, by its bare name alone', async () => {
    const bridge: AgentSettings = { ...settings, command: ['codex-acp', '--x'] };
    const { program } = await turn(bridge, told(says('Done.'), ended('end_turn')));
    const at = '/skep/agents/codex-acp/node_modules/@agentclientprotocol/codex-acp/dist/index.js';
    expect((JSON.parse(program?.stdin ?? '') as AcpTurn).argv).toEqual(['node', at, '--x']);
    const missing = { kind: 'missing', message: expect.stringContaining('skep agent install codex-acp') as string };
    expect(await createOtherAcpAgent(installs).needs(bridge)).toEqual(missing);
    const other = await turn({ ...settings, command: ['./codex-acp'] }, told(ended('end_turn')));
    expect((JSON.parse(other.program?.stdin ?? '') as AcpTurn).argv).toEqual(['./codex-acp']);
    expect(await createOtherAcpAgent(installs).needs({ ...settings, command: ['./codex-acp'] })).toMatchObject({ kind: 'met' });
  });

  it('has what its project gives it, with what the run has in the place of its names', async () => {
    const env = { AGENT_KEY: '${SKEP_RUN_TOKEN}', OPENAI_BASE_URL: '${SKEP_GATEWAY_URL}/other', NOTE: '$SKEP_MODEL ${OTHER}' };
    const own = { ...settings, env, home: { '.a/b.json': '${SKEP_MODEL} $& ${SKEP_MODEL}' }, conversations: '.a/talks' };
    const { program } = await turn(own, told(ended('end_turn')));
    expect(program?.env).toMatchObject({
      ...{ AGENT_KEY: 'skeprun_x', OPENAI_BASE_URL: 'http://g/other', NOTE: '$SKEP_MODEL ${OTHER}', OPENAI_API_KEY: 'skeprun_x' },
    });
    expect(program?.home).toEqual([
      { path: '.a/b.json', content: 'a/m $& a/m' },
      { path: '.a/talks', target: '/kept' },
    ]);
    expect((JSON.parse(program?.stdin ?? '') as AcpTurn).sessionFile).toBe('/kept/skep-session.json');
    const agent = createOtherAcpAgent(installs);
    expect(await Promise.all([own, settings].map(each => agent.needs(each)))).toMatchObject([{ keeps: true }, { keeps: false }]);
  });

  it.each([
    ['max_tokens', { class: 'agent_failed', stopReason: 'max_tokens' }],
    ['max_turn_requests', { class: 'agent_failed', stopReason: 'max_turn_requests' }],
    ['refusal', { class: 'agent_failed', stopReason: 'refusal' }],
    ['cancelled', { class: 'agent_failed' }],
    ['', { class: 'agent_failed' }],
  ])('is not done when its turn ended as %s', async (stopReason, outcome) => {
    expect((await turn(settings, told(ended(stopReason)))).outcome).toMatchObject({ kind: 'failed', ...outcome });
  });

  it('is not done where its last words are an error of the provider', async () => {
    const error = says('[API Error: 401 Invalid token]');
    expect((await turn(settings, told(error, ended('end_turn')))).outcome).toMatchObject({
      message: 'some-agent could not finish: 401 Invalid token',
    });
    expect((await turn(settings, told(error, says('\nIt works again.'), ended('end_turn')))).outcome.kind).toBe('done');
  });

  it.each([
    [told({ event: 'died', signal: 'SIGKILL' }), { class: 'agent_died' }],
    [told({ event: 'not_found' }), { class: 'agent_missing' }],
    [told({ event: 'failed', message: 'no' }), { class: 'agent_failed', message: 'some-agent could not finish: no' }],
    ['', { class: 'agent_failed', message: 'some-agent ended before its turn was finished' }],
  ])('has ended as the client told: %s', async (printed, outcome) => {
    expect((await turn(settings, printed)).outcome).toMatchObject(outcome);
  });

  it('is ended with its sandbox, whatever it told before', async () => {
    expect((await turn(settings, told(ended('end_turn')), { reason: 'aborted' })).outcome).toEqual({ kind: 'aborted' });
    expect((await turn(settings, '', { reason: 'timeout' })).outcome).toMatchObject({ class: 'timeout' });
  });

  it('says so where a conversation could not be gone on with', async () => {
    const { updates } = await turn(settings, told({ event: 'session', begins: 'anew' }, ended('end_turn')));
    expect(updates[0]).toMatchObject({ text: 'The conversation could not be gone on with; a new one begins.' });
  });
});
