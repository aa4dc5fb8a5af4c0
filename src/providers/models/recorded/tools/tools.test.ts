import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { OfferedTool } from '../conversation/index.ts';
import type { NeutralCall } from '../format.ts';
import { toolCall, waitCall, type Workbench } from './index.ts';

type Kind = OfferedTool['kind'];
const text = { type: 'string' };
const tool = (name: string, properties: object = {}, rest: { kind?: Kind; namespace?: string; required?: string[] } = {}) => ({
  name,
  kind: rest.kind ?? ('function' as const),
  ...(rest.namespace === undefined ? {} : { namespace: rest.namespace }),
  schema: { type: 'object', properties, required: rest.required ?? Object.keys(properties) },
});
const submit = tool('submit_result', { status: text, summary: text }, { namespace: 'mcp__skep' });

/** As these agents offered them when they were asked: Codex 0.169.0, pi 0.74.2. The others as they are known, and not tried. */
const agents: Record<string, OfferedTool[]> = {
  codex: [
    tool('exec_command', { cmd: text, workdir: text, yield_time_ms: { type: 'number' } }, { required: ['cmd'] }),
    tool(
      'write_stdin',
      { session_id: { type: 'number' }, chars: text, yield_time_ms: { type: 'number' } },
      { required: ['session_id'] },
    ),
    submit,
  ],
  pi: [
    tool('read', { path: text, offset: { type: 'number' } }, { required: ['path'] }),
    tool('bash', { command: text, timeout: { type: 'number' } }, { required: ['command'] }),
    tool('edit', { path: text, edits: { type: 'array', items: { properties: { oldText: text, newText: text } } } }),
    tool('write', { path: text, content: text }),
  ],
  claude: [
    tool('Bash', { command: text, description: text }, { required: ['command'] }),
    tool('Read', { file_path: text }),
    tool('Write', { file_path: text, content: text }),
    tool('Edit', { file_path: text, old_string: text, new_string: text, replace_all: { type: 'boolean' } }),
    tool('mcp__skep__submit_result', { status: text, summary: text }),
  ],
  gemini: [
    tool('run_shell_command', { command: text, is_background: { type: 'boolean' } }),
    tool('replace', { file_path: text, instruction: text, old_string: text, new_string: text }),
    tool('write_file', { file_path: text, content: text }),
    tool('mcp_skep_submit_result', { status: text, summary: text }),
  ],
  opencode: [tool('bash', { command: text }), tool('write', { filePath: text, content: text }), tool('skep_submit_result')],
  array: [tool('shell', { command: { type: 'array' } })],
  local: [tool('local_shell', {}, { kind: 'local_shell' })],
  none: [tool('web_search')],
};
const bench = (agent: string, more: Partial<Workbench> = {}): Workbench => ({
  agent,
  tools: agents[agent] ?? [],
  cwd: '/repo',
  hasSearched: false,
  ...more,
});
const made = (agent: string, call: NeutralCall, more: Partial<Workbench> = {}) => toolCall(bench(agent, more), call);

describe('a step becomes a call of a tool that the agent has', () => {
  it('runs a line in its shell', () => {
    const line = 'node --test 2>&1 | tail -5';
    expect(made('codex', { shell: line })).toEqual({
      kind: 'function',
      name: 'exec_command',
      args: { cmd: line, yield_time_ms: 30_000 },
    });
    expect(made('pi', { shell: line })).toMatchObject({ name: 'bash', args: { command: line } });
    expect(made('claude', { shell: line })).toMatchObject({
      name: 'Bash',
      args: { command: line, description: expect.any(String) },
    });
    expect(made('gemini', { shell: line }).args).toEqual({ command: line, is_background: false });
    expect(made('array', { shell: line }).args).toEqual({ command: ['bash', '-lc', line] });
    expect(made('local', { shell: line })).toMatchObject({
      kind: 'local_shell',
      args: { type: 'exec', command: ['bash', '-lc', line] },
    });
  });

  it('writes, reads and edits with its tools, where it has them', () => {
    const write = { write: { path: 'src/x.js', content: 'x' } };
    const edit = { edit: { path: 'src/x.js', old: 'a', new: 'b' } };
    expect(made('pi', write)).toMatchObject({ name: 'write', args: { path: 'src/x.js', content: 'x' } });
    expect(made('claude', write)).toMatchObject({ name: 'Write', args: { file_path: '/repo/src/x.js', content: 'x' } });
    expect(made('opencode', write, { cwd: null })).toMatchObject({ args: { filePath: 'src/x.js', content: 'x' } });
    expect(made('pi', edit).args).toEqual({ path: 'src/x.js', edits: [{ oldText: 'a', newText: 'b' }] });
    expect(made('claude', edit).args).toEqual({
      file_path: '/repo/src/x.js',
      old_string: 'a',
      new_string: 'b',
      replace_all: false,
    });
    expect(made('gemini', edit).args).toMatchObject({ old_string: 'a', new_string: 'b', instruction: 'recorded demo' });
    expect(made('claude', { read: { path: 'a.js' } })).toMatchObject({ name: 'Read', args: { file_path: '/repo/a.js' } });
    expect(made('codex', { read: { path: "it's" } }).args).toMatchObject({ cmd: `cat -- 'it'\\''s'` });
  });

  it('reports by the tool of the agent, whatever its name', () => {
    const report = { report: { tool: 'submit_result', args: { status: 'done', summary: "it's done" } } };
    expect(made('codex', report)).toEqual({
      kind: 'function',
      name: 'submit_result',
      namespace: 'mcp__skep',
      args: report.report.args,
    });
    expect(made('claude', report).name).toBe('mcp__skep__submit_result');
    expect(made('gemini', report).name).toBe('mcp_skep_submit_result');
    expect(made('opencode', report).name).toBe('skep_submit_result');
    expect(made('pi', report)).toMatchObject({
      name: 'bash',
      args: { command: `skep-report submit_result --json '{"status":"done","summary":"it'\\''s done"}'` },
    });
  });

  it('looks for a report that is offered on demand, once', () => {
    const report = { report: { tool: 'submit_result', args: {} } };
    const shell = tool('Bash', { command: text });
    const claude = [shell, tool('ToolSearch', { query: text })];
    expect(made('claude', report, { tools: claude })).toMatchObject({
      name: 'ToolSearch',
      args: { query: 'select:mcp__skep__submit_result' },
    });
    const codex = [shell, tool('tool_search', { query: text }, { kind: 'tool_search' })];
    expect(made('codex', report, { tools: codex })).toMatchObject({ kind: 'tool_search', args: { query: 'skep submit_result' } });
    expect(made('claude', report, { tools: claude, hasSearched: true })).toMatchObject({ name: 'Bash' });
    expect(() => made('claude', report, { tools: claude.slice(1), hasSearched: true })).toThrow('has no tool for that');
  });

  it('uses a tool of the agent by its name', () => {
    expect(made('none', { tool: { name: 'web_search', input: { q: 1 } } })).toMatchObject({ name: 'web_search', args: { q: 1 } });
    expect(() => made('none', { tool: { name: 'gone', input: {} } })).toThrow('wants to use the tool gone');
  });

  it('says what is missing, and what there is', () => {
    expect(() => made('none', { shell: 'ls' })).toThrow(
      'The recording wants to run a command, and the agent (none) has no tool for that; it offers web_search.',
    );
    const content = `${'x'.repeat(200_000)}\n`;
    expect(() => made('codex', { write: { path: 'a', content } })).toThrow(
      /a command of 2000\d\d bytes, and a shell takes at most/,
    );
    expect(made('pi', { write: { path: 'a', content } }).args).toMatchObject({ content });
  });

  it('waits for a command that still runs, and not for one that has ended', () => {
    const output = 'Chunk ID: 1\nWall time: 30.0 seconds\nProcess running with session ID 42\nOutput:\n';
    expect(waitCall(bench('codex'), { output, waits: 0 })).toMatchObject({
      name: 'write_stdin',
      args: { session_id: 42, chars: '', yield_time_ms: 30_000 },
    });
    expect(waitCall(bench('codex'), { output: `${output}\nProcess exited with code 0\n`, waits: 1 })).toBeUndefined();
    expect(waitCall(bench('codex'), { output, waits: 60 })).toBeUndefined();
    expect(waitCall(bench('pi'), { output, waits: 0 })).toBeUndefined();
  });
});

describe('what is written through a shell', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'skep-tools-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  function run(call: NeutralCall): { code: number | null; err: string } {
    const line = String(made('codex', call).args['cmd']);
    const { status, stderr } = spawnSync('bash', ['-c', line], { cwd: folder, encoding: 'utf8' });
    return { code: status, err: stderr };
  }

  it.each([
    ['a.txt', 'one\ntwo\n'],
    ["it's $(touch bad) `x`/b.txt", 'no newline at the end'],
    ['-rf', 'a name like a flag\n'],
    ['c.txt', 'END\nEND_\n$HOME `id` \\n \'"\n'],
    ['d.txt', ''],
    ['e.txt', 'nul \0 \\0 and\nbackslash \\\n'],
    ['f.txt', 'tab\tcr\r\n\u{1f41d} ü\n'],
  ])('is there to the byte: %s', (path, content) => {
    expect(run({ write: { path, content } })).toEqual({ code: 0, err: '' });
    expect(readFileSync(join(folder, path), 'utf8')).toBe(content);
  });

  it('is there to the byte, whatever it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.boolean(), (content, endsLine) => {
        const whole = endsLine ? `${content}\n` : content;
        run({ write: { path: 'any.txt', content: whole } });
        return readFileSync(join(folder, 'any.txt'), 'utf8') === Buffer.from(whole).toString('utf8');
      }),
      { numRuns: 40 },
    );
  });

  it('is edited where the text is there once, and only then', () => {
    const path = "it's.js";
    writeFileSync(join(folder, path), "let a = '$1'; // one\nlet b = 2;\n");
    expect(run({ edit: { path, old: "'$1'; // one\n", new: '"$&";\n' } })).toEqual({ code: 0, err: '' });
    expect(readFileSync(join(folder, path), 'utf8')).toBe('let a = "$&";\nlet b = 2;\n');
    expect(run({ edit: { path, old: 'let ', new: '' } })).toEqual({
      code: 1,
      err: `${path}: the text to be replaced is there 2 times\n`,
    });
    expect(run({ edit: { path, old: 'let b = 2;\n', new: '' } }).code).toBe(0);
    expect(readFileSync(join(folder, path), 'utf8')).toBe('let a = "$&";\n');
    expect(run({ edit: { path, old: 'gone', new: '' } }).code).toBe(1);
  });
});
