import { posix } from 'node:path';
import { fields, list, parsedArgs, text } from '../conversation/fields.ts';
import type { MadeCall } from '../conversation/index.ts';
import type { NeutralCall } from '../format.ts';
import {
  contentParameters,
  editNames,
  newParameters,
  oldParameters,
  pathParameters,
  readNames,
  writeNames,
} from '../tools/files.ts';
import { isReport } from '../tools/report.ts';
import { quoted, shellNames } from '../tools/shell.ts';

/** The tools by which agents report to Skep. */
const reports = ['get_context', 'submit_result', 'report_blocker', 'ask_human', 'save_memory'];

/**
 * A call of an agent's own tool in the words of a recording, so that every agent can play it. What those words cannot say
 * stays a call of that tool.
 */
export function neutral(call: MadeCall, cwd: string | null): NeutralCall {
  return (
    report(call) ??
    shell(call, cwd) ??
    write(call, cwd) ??
    edit(call, cwd) ??
    read(call, cwd) ?? { tool: { name: call.name, input: { ...call.args } } }
  );
}

function report({ name, args }: MadeCall): NeutralCall | undefined {
  const tool = reports.find(tool => isReport({ name }, tool));
  return tool === undefined ? undefined : { report: { tool, args: { ...args } } };
}

function shell({ name, args }: MadeCall, cwd: string | null): NeutralCall | undefined {
  if (!shellNames.includes(name) || args['run_in_background'] === true || args['is_background'] === true) return undefined;
  const line = lineOf(args['cmd'] ?? args['command'] ?? args['commands']);
  const folder = text(args['workdir'] ?? args['directory']);
  if (line === '') return undefined;
  const told = reportOf(line);
  if (told !== undefined) return told;
  // shell: a word of the recording; what runs it is an agent in its sandbox
  return { shell: folder === '' || folder === cwd ? line : `cd ${quoted(relative(folder, cwd))} && ${line}` };
}

/** Where an agent has no MCP, a report is a command. */
function reportOf(line: string): NeutralCall | undefined {
  const [, tool, word] = /^skep-report ([a-z_]+) --json '([^]*)'$/.exec(line.trim()) ?? [];
  const json = word?.replaceAll("'\\''", "'") ?? '';
  if (tool === undefined || !reports.includes(tool) || quoted(json) !== `'${word}'`) return undefined;
  const args = parsedArgs(json);
  return Object.keys(args).length === 0 ? undefined : { report: { tool, args: { ...args } } };
}

/** A line, or the words of a program; what is handed to a shell's -c is a line again. */
function lineOf(command: unknown): string {
  if (!Array.isArray(command)) return text(command);
  const words = command.filter(word => typeof word === 'string');
  const [program = '', flag = '', line, ...more] = words;
  if (line !== undefined && more.length === 0 && /(^|\/)(ba|z|da)?sh$/.test(program) && /^-l?c$/.test(flag)) return line;
  return words.map(quoted).join(' ');
}

function write({ name, args }: MadeCall, cwd: string | null): NeutralCall | undefined {
  const content = contentParameters.map(key => args[key]).find(value => typeof value === 'string');
  const path = pathOf(args, cwd);
  return writeNames.includes(name) && content !== undefined && path !== '' ? { write: { path, content } } : undefined;
}

function edit({ name, args }: MadeCall, cwd: string | null): NeutralCall | undefined {
  const edits = list(args['edits']);
  if (!editNames.includes(name) || edits.length > 1 || args['replace_all'] === true || args['replaceAll'] === true)
    return undefined;
  const pair = edits[0] ?? args;
  const [old, now] = [oldParameters, newParameters].map(keys => keys.map(key => pair[key]).find(value => value !== undefined));
  const path = pathOf(args, cwd);
  if (typeof old !== 'string' || old === '' || typeof now !== 'string' || path === '') return undefined;
  return { edit: { path, old, new: now } };
}

/** Only a whole file: where a part of it was read, the rest might be too much to read. */
function read({ name, args }: MadeCall, cwd: string | null): NeutralCall | undefined {
  const path = pathOf(args, cwd);
  return readNames.includes(name) && path !== '' && Object.keys(fields(args)).length === 1 ? { read: { path } } : undefined;
}

function pathOf(args: MadeCall['args'], cwd: string | null): string {
  return relative(text(pathParameters.map(key => args[key]).find(value => typeof value === 'string')), cwd);
}

/** As seen from the agent's working folder: it is another one at each run. */
function relative(path: string, cwd: string | null): string {
  if (cwd === null || !path.startsWith('/')) return path;
  const shown = posix.relative(cwd, path);
  return shown.startsWith('..') ? path : shown === '' ? '.' : shown;
}
