import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { AgentContext, AgentProgram, SessionUpdate } from '../../../worker/agent.ts';
import type { SandboxExit } from '../../../worker/sandbox.ts';
import { createInstalls } from '../install/installs.ts';
import { createClaudeAgent } from './index.ts';

/** What Claude Code 2.1.197 has printed, and how it ended. */
interface Said {
  readonly recorded?: string;
  readonly printed?: string;
  readonly exit: Partial<SandboxExit> & Pick<SandboxExit, 'reason'>;
}

const done: Said = { recorded: 'done', exit: { reason: 'exited', code: 0 } };

async function turn(said: readonly Said[], kept: readonly string[] = []) {
  const updates: SessionUpdate[] = [];
  const started: AgentProgram[] = [];
  const printed: string[] = [];
  const context: AgentContext = {
    ...{ settings: { kind: 'claude', model: 'anthropic/m' }, task: '{}', prompt: 'Do it', promptAgain: 'Go on', kept },
    ...{
      env: { SKEP_RUN_TOKEN: 'skeprun_x' },
      timeoutMs: 1_000,
      outputBytesMax: 1_000,
      gatewayUrl: 'http://g',
      node: 'node',
      inside: '/inside',
    },
    onUpdate: update => void updates.push(update),
    onOutput: chunk => void printed.push(chunk.toString()),
    async start(program) {
      const { recorded, printed = '', exit } = said[started.length] ?? done;
      started.push(program);
      const file = recorded === undefined ? '' : readFileSync(join(import.meta.dirname, `recorded/${recorded}.jsonl`), 'utf8');
      program.onOutput('stdout', Buffer.from(file + printed));
      return { ...exit, durationMs: 7 } as SandboxExit;
    },
  };
  const outcome = await createClaudeAgent(createInstalls('/nowhere')).run(context);
  return { outcome, updates, started, printed };
}

describe('a run of Claude Code', () => {
  it('is done where its result says so, and shows what it did', async () => {
    const { outcome, updates, started } = await turn([done]);
    expect(outcome).toEqual({ kind: 'done', stopReason: 'end_turn', durationMs: 7 });
    expect(updates.map(({ sessionUpdate, ...fields }) => [sessionUpdate, fields])).toMatchObject([
      ['tool_call', { kind: 'execute', title: 'cat README.md', input: { command: 'cat README.md' } }],
      ['tool_call_update', { status: 'completed', output: 'hello' }],
      ['tool_call', { kind: 'execute', title: 'echo no >&2; exit 3' }],
      ['tool_call_update', { status: 'failed', output: 'Exit code 3\nno' }],
      ['tool_call', { kind: 'other', title: 'submit_result', input: { status: 'done', summary: 'Added' } }],
      ['tool_call_update', { status: 'completed', output: 'Taken.' }],
      ['agent_message_chunk', { text: 'All done.' }],
      ['usage_update', { inputTokens: 400, outputTokens: 40 }],
    ]);
    const [program] = started;
    expect(program?.stdin).toBe('Do it');
    expect(JSON.stringify([program?.argv, program?.home])).not.toContain('skeprun_x');
  });

  it.each([
    ['a spent budget', 'spent', 'API Error: 402 The budget is spent'],
    ['a provider that is busy', 'busy', 'API Error: 529 Too busy'],
  ])('has failed with the words of %s, though it calls that a success', async (_what, recorded, words) => {
    for (const code of [0, 1]) {
      const { outcome, updates } = await turn([{ recorded, exit: { reason: 'exited', code } }]);
      expect(outcome).toMatchObject({ kind: 'failed', class: 'agent_failed' });
      expect(outcome.kind === 'failed' && outcome.message).toContain(`Claude Code could not finish: ${words}`);
      // That no model wrote it must be seen.
      expect(updates.filter(update => update.sessionUpdate === 'agent_message_chunk')).toEqual([]);
    }
  });

  it('has failed where it ends with 0 and says nothing of its turn', async () => {
    const { outcome, printed } = await turn([
      { printed: 'Execution error\n{"type":"assistant"', exit: { reason: 'exited', code: 0 } },
    ]);
    expect(outcome).toMatchObject({ class: 'agent_failed', message: 'Claude Code ended before its turn was finished' });
    expect(printed.join('')).toContain('Execution error\n');
    const died = await turn([{ recorded: 'done', exit: { reason: 'signaled', signal: 'SIGKILL' } }]);
    expect(died.outcome).toMatchObject({ class: 'agent_died' });
  });

  it('tells what files it has written, and what it has read, though that is worth no lines of a log', async () => {
    const call = (id: string, name: string, input: object) =>
      JSON.stringify({ type: 'assistant', message: { content: [{ type: 'tool_use', id, name, input }] } });
    const result = (id: string, content: string, more: object = {}) =>
      JSON.stringify({
        ...{ type: 'user', message: { content: [{ type: 'tool_result', tool_use_id: id, content }] } },
        ...more,
      });
    const failed = { message: { content: [{ type: 'tool_result', tool_use_id: 'd', content: 'no', is_error: true }] } };
    const printed = [
      call('a', 'Write', { file_path: '/repo/new.js', content: 'x' }),
      result('a', 'File created', { tool_use_result: { type: 'create', filePath: '/repo/new.js' } }),
      call('b', 'MultiEdit', { file_path: '/repo/old.js', edits: [{ old_string: 'a', new_string: 'b' }] }),
      result('b', 'Updated', { tool_use_result: { filePath: '/repo/old.js' } }),
      call('c', 'Read', { file_path: '/repo/old.js' }),
      result('c', 'b'),
      call('d', 'Edit', { file_path: '/repo/old.js', old_string: 'z', new_string: 'y' }),
      result('d', 'no', failed),
    ];
    const { updates } = await turn([{ printed: `${printed.join('\n')}\n`, exit: { reason: 'exited', code: 1 } }]);
    expect(updates.filter(update => update.sessionUpdate !== 'tool_call')).toEqual([
      { sessionUpdate: 'file_change', toolCallId: 'a', path: '/repo/new.js', change: 'added' },
      { sessionUpdate: 'tool_call_update', toolCallId: 'a', status: 'completed', output: 'File created', isQuiet: true },
      { sessionUpdate: 'file_change', toolCallId: 'b', path: '/repo/old.js', change: 'modified' },
      { sessionUpdate: 'tool_call_update', toolCallId: 'b', status: 'completed', output: 'Updated', isQuiet: true },
      { sessionUpdate: 'tool_call_update', toolCallId: 'c', status: 'completed', output: 'b', isQuiet: true },
      { sessionUpdate: 'tool_call_update', toolCallId: 'd', status: 'failed', output: 'no' },
    ]);
    expect(updates[0]).toMatchObject({ kind: 'edit', title: 'write /repo/new.js', input: { content: 'x' } });
  });

  const file = (number: number): string => `-work/736b6570-0000-4000-8000-${String(number).padStart(12, '0')}.jsonl`;

  it('goes on with the last conversation, and begins anew where that cannot be', async () => {
    const unknown: Said = { printed: 'No conversation found\n', exit: { reason: 'exited', code: 1 } };
    const again = await turn([unknown, done], [file(2), file(10), '-work/notes.jsonl', file(9)]);
    expect(again.started.map(({ argv, stdin }) => [argv.slice(-2), stdin])).toEqual([
      [['--resume', '736b6570-0000-4000-8000-000000000010'], 'Go on'],
      [['--session-id', '736b6570-0000-4000-8000-000000000011'], 'Do it'],
    ]);
    expect(again.outcome.kind).toBe('done');
    // One that has worked is not begun again: what it did stands.
    const worked = await turn([{ recorded: 'spent', exit: { reason: 'exited', code: 1 } }, done], [file(1)]);
    expect([worked.started.length, worked.outcome.kind]).toEqual([1, 'failed']);
    const stopped = await turn([{ exit: { reason: 'aborted' } }, done], [file(1)]);
    expect([stopped.started.length, stopped.outcome.kind]).toEqual([1, 'aborted']);
  });

  it('is not put out by events that it does not know', async () => {
    const strange = [
      '{}',
      '{"type":"assistant"}',
      '{"type":"user","message":{"content":[7]}}',
      '{"type":"result","is_error":true}',
    ];
    const { outcome, updates } = await turn([{ printed: strange.join('\n'), exit: { reason: 'exited', code: 1 } }]);
    expect(outcome).toMatchObject({ message: 'Claude Code could not finish: the turn ended without a reason' });
    expect(updates).toMatchObject([{ sessionUpdate: 'usage_update', inputTokens: 0 }]);
  });
});
