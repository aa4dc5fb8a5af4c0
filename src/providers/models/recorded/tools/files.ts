import { posix } from 'node:path';
import { callOf, offeredAs, parameter, type ToolCall, type Workbench } from './made.ts';
import type { OfferedTool } from '../conversation/index.ts';
import { fields } from '../conversation/fields.ts';
import { quoted, shellCall } from './shell.ts';

export const readNames = ['Read', 'read', 'read_file'];
export const writeNames = ['Write', 'write', 'write_file', 'write_to_file'];
export const editNames = ['Edit', 'edit', 'replace', 'edit_file'];
export const pathParameters = ['file_path', 'filePath', 'absolute_path', 'path'];
export const contentParameters = ['content', 'file_text', 'text'];
export const oldParameters = ['old_string', 'oldString', 'oldText', 'old_text'];
export const newParameters = ['new_string', 'newString', 'newText', 'new_text'];

export function readCall(bench: Workbench, { path }: { path: string }): ToolCall {
  const tool = offeredAs(bench.tools, readNames);
  if (tool === undefined) return shellCall(bench, `cat -- ${quoted(path)}`);
  return callOf(tool, withPath(bench, tool, path));
}

export function writeCall(bench: Workbench, { path, content }: { path: string; content: string }): ToolCall {
  const tool = offeredAs(bench.tools, writeNames);
  if (tool === undefined) return shellCall(bench, writingLine(path, content));
  const name = parameter(tool, contentParameters) ?? 'content';
  return callOf(tool, { ...withPath(bench, tool, path), [name]: content });
}

export interface Edit {
  readonly path: string;
  readonly old: string;
  readonly new: string;
}

export function editCall(bench: Workbench, edit: Edit): ToolCall {
  const tool = offeredAs(bench.tools, editNames);
  const shape = tool === undefined ? undefined : editArgs(tool, edit);
  if (tool === undefined || shape === undefined) return shellCall(bench, editingLine(edit));
  return callOf(tool, { ...withPath(bench, tool, edit.path), ...shape });
}

/** One pair, or pi's list of pairs; undefined for a tool that edits in another way. */
function editArgs(tool: OfferedTool, edit: Edit): Record<string, unknown> | undefined {
  const [from, to] = [parameter(tool, oldParameters), parameter(tool, newParameters)];
  if (from !== undefined && to !== undefined) return { [from]: edit.old, [to]: edit.new };
  const items = fields(fields(fields(tool.schema['properties'])['edits'])['items']);
  const pair: OfferedTool = { name: tool.name, kind: tool.kind, schema: items };
  const [innerFrom, innerTo] = [parameter(pair, oldParameters), parameter(pair, newParameters)];
  if (innerFrom === undefined || innerTo === undefined) return undefined;
  return { edits: [{ [innerFrom]: edit.old, [innerTo]: edit.new }] };
}

/** Tools that call it a file's path often take an absolute one alone. */
function withPath(bench: Workbench, tool: OfferedTool, path: string): Record<string, unknown> {
  const name = parameter(tool, pathParameters) ?? 'path';
  return { [name]: name === 'path' || bench.cwd === null ? path : posix.resolve(bench.cwd, path) };
}

/** Writes exactly these bytes. A here-document is what a person would type; it can't hold NUL, nor lack the last newline. */
function writingLine(path: string, content: string): string {
  const folder = posix.dirname(path);
  const first = folder === '.' || folder === '/' ? '' : `mkdir -p -- ${quoted(folder)} && `;
  const target = `> ${quoted(path.startsWith('-') ? `./${path}` : path)}`;
  if (content.includes('\0')) {
    return `${first}printf %b ${quoted(content.replaceAll('\\', '\\\\').replaceAll('\0', '\\0000'))} ${target}`;
  }
  if (!content.endsWith('\n')) return `${first}printf %s ${quoted(content)} ${target}`;
  const end = delimiter(content);
  return `${first}cat ${target} <<'${end}'\n${content}${end}`;
}

/** A word that is no line of the content. */
function delimiter(content: string): string {
  const lines = new Set(content.split('\n'));
  let end = 'END';
  while (lines.has(end)) end += '_';
  return end;
}

const editor = [
  "const {readFileSync,writeFileSync}=require('fs'),[,path,old,now]=process.argv",
  "const parts=readFileSync(path,'utf8').split(old)",
  "if(parts.length!==2){console.error(path+': the text to be replaced is there '+(parts.length-1)+' times');process.exit(1)}",
  'writeFileSync(path,parts.join(now))',
].join(';');

/** With node, which every sandbox has: sed would read the text as a pattern. */
function editingLine({ path, old, new: now }: Edit): string {
  return `node -e ${quoted(editor)} -- ${[path, old, now].map(word => (word === '' ? "''" : quoted(word))).join(' ')}`;
}
