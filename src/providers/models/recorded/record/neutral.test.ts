import { describe, expect, it } from 'vitest';
import { neutral } from './neutral.ts';

const reported = (args: object) => ({ report: { tool: 'submit_result', args } });
const of = (name: string, args: Record<string, unknown>) => neutral({ id: '1', name, args }, '/repo');

describe('a call of an agent in neutral words', () => {
  it.each([
    ['Bash', { command: 'ls', description: 'List' }, { shell: 'ls' }],
    ['exec_command', { cmd: 'ls', workdir: '/repo', yield_time_ms: 1 }, { shell: 'ls' }],
    ['exec_command', { cmd: 'ls', workdir: '/repo/a b' }, { shell: "cd 'a b' && ls" }],
    ['shell', { command: ['bash', '-lc', 'a | b'] }, { shell: 'a | b' }],
    ['shell', { command: ['git', 'commit', '-m', 'a b'] }, { shell: "git commit -m 'a b'" }],
    ['local_shell', { type: 'exec', command: ['/bin/sh', '-c', 'a'] }, { shell: 'a' }],
    ['bash', { command: `skep-report submit_result --json '{"summary":"it'\\''s done"}'` }, reported({ summary: "it's done" })],
    [
      'bash',
      { command: "skep-report submit_result --json '{}' && ls" },
      { shell: "skep-report submit_result --json '{}' && ls" },
    ],
    ['write_file', { file_path: '/repo/src/x', content: 'y' }, { write: { path: 'src/x', content: 'y' } }],
    ['write', { filePath: '/elsewhere/x', content: '' }, { write: { path: '/elsewhere/x', content: '' } }],
    ['Edit', { file_path: 'x', old_string: 'a', new_string: '' }, { edit: { path: 'x', old: 'a', new: '' } }],
    ['edit', { path: 'x', edits: [{ oldText: 'a', newText: 'b' }] }, { edit: { path: 'x', old: 'a', new: 'b' } }],
    ['Read', { file_path: '/repo' }, { read: { path: '.' } }],
    ['mcp__skep__ask_human', { question: '?' }, { report: { tool: 'ask_human', args: { question: '?' } } }],
  ])('%s %j', (name, args, call) => {
    expect(of(name, args)).toEqual(call);
  });

  it.each([
    ['Bash', { command: 'sleep 9', run_in_background: true }],
    ['Read', { file_path: 'x', offset: 10 }],
    ['Edit', { file_path: 'x', old_string: 'a', new_string: 'b', replace_all: true }],
    [
      'edit',
      {
        path: 'x',
        edits: [
          { oldText: 'a', newText: 'b' },
          { oldText: 'c', newText: 'd' },
        ],
      },
    ],
    ['Write', { content: 'no path' }],
    ['update_plan', { plan: [] }],
  ])('stays itself where the words cannot say it: %s %j', (name, args) => {
    expect(of(name, args)).toEqual({ tool: { name, input: args } });
  });
});
