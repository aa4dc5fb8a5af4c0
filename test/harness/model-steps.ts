import type { ServerResponse } from 'node:http';
import { wireAt } from './model-wires.ts';
import type { Stop, ToolCall } from './model-wires.ts';

/** What the model does at one of its calls. */
export type Step =
  | { readonly say: string; readonly thought?: string; readonly end?: Exclude<Stop, 'end'> }
  | { readonly shell: string; readonly thought?: string }
  /** A file by the tool that the agent has for that. */
  | { readonly write: string; readonly content: string }
  | { readonly report: string; readonly args: Readonly<Record<string, unknown>> }
  /** A refusal. */
  | { readonly status: number; readonly message: string; readonly headers?: Readonly<Record<string, string>> }
  /** The stream ends before its terminal event. */
  | { readonly cut: string }
  /** An error in the middle of the stream, after these words. */
  | { readonly error: string; readonly after: string }
  /** The connection breaks before there is an answer. */
  | { readonly reset: true }
  /** Bytes that are none of the wire. */
  | { readonly raw: string; readonly type: string }
  /** No answer at all. */
  | { readonly hang: true };

export interface Speaking {
  /** Says which wire it is. */
  readonly path: string;
  /** What the agent can call, as it tells the model. */
  readonly tools: unknown;
  readonly response: ServerResponse;
}

/** The calls of a conversation that goes on elsewhere have ids of their own. */
let calls = 0;

/** Answers one call of a model. */
export function speak(step: Step, { path, tools, response }: Speaking): void {
  const wire = wireAt(path);
  if ('hang' in step) return;
  if ('reset' in step) return void response.socket?.resetAndDestroy();
  if ('raw' in step) return void response.writeHead(200, { 'content-type': step.type }).end(step.raw);
  if ('status' in step) {
    const headers = { 'content-type': 'application/json', ...step.headers };
    return void response.writeHead(step.status, headers).end(JSON.stringify(wire.refusal(step.status, step.message)));
  }
  const all = wire.events({
    call: toolCall(step, JSON.stringify(tools ?? [])),
    said: wordsOf(step),
    thought: 'thought' in step ? step.thought : undefined,
    id: `call_${++calls}`,
    stop: ('end' in step ? step.end : undefined) ?? 'end',
  });
  const isWhole = !('cut' in step || 'error' in step);
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  for (const event of isWhole ? all : all.slice(0, -1)) response.write(event);
  if ('error' in step) response.write(wire.error(step.error));
  // Destroyed at once, it would take along what was written.
  if ('cut' in step) setImmediate(() => response.destroy());
  else response.end();
}

function wordsOf(step: Step): string {
  if ('say' in step) return step.say;
  if ('cut' in step) return step.cut;
  return 'after' in step ? step.after : '';
}

/** With the tools that the agent has. */
function toolCall(step: Step, tools: string): ToolCall | undefined {
  if ('write' in step) return writing(step, tools);
  if ('report' in step) return reporting(step, tools);
  return 'shell' in step ? running(step.shell, tools) : undefined;
}

const isCodex = (tools: string): boolean => tools.includes('"exec_command"');

function running(line: string, tools: string): ToolCall {
  if (isCodex(tools)) return { name: 'exec_command', args: { cmd: line } };
  const [, shell = 'bash'] = /"(Bash|run_shell_command)"/.exec(tools) ?? [];
  return { name: shell, args: { command: line } };
}

function reporting({ report, args }: Extract<Step, { report: string }>, tools: string): ToolCall {
  if (isCodex(tools)) return { name: report, namespace: 'mcp__skep', args };
  const [, own] = new RegExp(`"(\\w+_${report})"`).exec(tools) ?? [];
  return own === undefined ? running(`skep-report ${report} --json '${JSON.stringify(args)}'`, tools) : { name: own, args };
}

function writing({ write: path, content }: Extract<Step, { write: string }>, tools: string): ToolCall {
  const at = `/work/${path}`;
  if (isCodex(tools)) {
    const added = content.split('\n').map(line => `+${line}`);
    const patch = ['*** Begin Patch', `*** Add File: ${path}`, ...added, '*** End Patch'];
    return running(`apply_patch <<'END'\n${patch.join('\n')}\nEND`, tools);
  }
  const [, name = 'write'] = /"(Write|write_file)"/.exec(tools) ?? [];
  const field = name !== 'write' ? 'file_path' : tools.includes('"filePath"') ? 'filePath' : 'path';
  return { name, args: { [field]: at, content } };
}
