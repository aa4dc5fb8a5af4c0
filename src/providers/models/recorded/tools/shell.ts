import type { OfferedTool } from '../conversation/index.ts';
import { fields } from '../conversation/fields.ts';
import { RecordingMismatch } from '../play/mismatch.ts';
import { callOf, notOffered, offeredAs, parameter, type ToolCall, type Workbench } from './made.ts';

/** In the order of preference; the names are those of Claude Code, pi, Codex, Gemini CLI and Qwen Code, opencode. */
export const shellNames = [
  'Bash',
  'bash',
  'exec_command',
  'run_shell_command',
  'shell_command',
  'shell',
  'local_shell',
  'execute_command',
];

/** The longest word that Linux hands to a program (MAX_ARG_STRLEN), less what agents put around it. */
const commandBytesMax = 131_072 - 1_024;

/** What Codex takes at most, 30 s: it answers after that long while the command still runs. */
const yieldMs = 30_000;

/** A line for the shell as a call of the agent's shell. Throws RecordingMismatch where it has none, or the line is too long. */
export function shellCall(bench: Workbench, line: string): ToolCall {
  const tool = offeredAs(bench.tools, shellNames);
  if (tool === undefined) throw notOffered(bench, 'run a command');
  const bytes = Buffer.byteLength(line);
  if (bytes > commandBytesMax) {
    throw new RecordingMismatch(
      `The recording wants to run a command of ${bytes} bytes, and a shell takes at most ${commandBytesMax}. ` +
        'Write the file in parts, or play it with an agent that has a tool for writing files',
    );
  }
  // shell: this is what the agent's tool takes; it runs in the sandbox
  if (tool.kind === 'local_shell') return callOf(tool, { type: 'exec', command: ['bash', '-lc', line], env: {} });
  return callOf(tool, { ...command(tool, line), ...manners(tool) });
}

function command(tool: OfferedTool, line: string): Record<string, unknown> {
  const name = parameter(tool, ['command', 'cmd', 'commands']) ?? 'command';
  const { type } = fields(fields(tool.schema['properties'])[name]);
  if (type !== 'array') return { [name]: line };
  // shell: as above
  return { [name]: name === 'commands' ? [line] : ['bash', '-lc', line] };
}

function manners(tool: OfferedTool): Record<string, unknown> {
  return {
    ...(parameter(tool, ['description']) === undefined ? {} : { description: 'A step of the recorded demo' }),
    ...(parameter(tool, ['yield_time_ms']) === undefined ? {} : { yield_time_ms: yieldMs }),
  };
}

/** A command still runs when Codex says so; half an hour of waiting is enough for any sample. */
const waitsMax = 60;

/** The call that waits for a command that still runs; undefined where none does. */
export function waitCall(bench: Workbench, { output, waits }: { output: string; waits: number }): ToolCall | undefined {
  const tool = offeredAs(bench.tools, ['write_stdin']);
  // Each wait adds its output; what the last one said stands at the end.
  const session = [...output.matchAll(/^Process (?:running with session ID (\d+)|exited with code)/gm)].at(-1)?.[1];
  if (tool === undefined || session === undefined || waits >= waitsMax) return undefined;
  return callOf(tool, { session_id: Number(session), chars: '', ...manners(tool) });
}

/** A word as a POSIX shell takes it, to the byte. NUL cannot be part of one. */
export function quoted(word: string): string {
  return /^[A-Za-z0-9_%+=:,./@-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
