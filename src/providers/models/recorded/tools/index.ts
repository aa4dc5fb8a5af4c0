import type { NeutralCall } from '../format.ts';
import { editCall, readCall, writeCall } from './files.ts';
import { callOf, notOffered, type ToolCall, type Workbench } from './made.ts';
import { reportCall } from './report.ts';
import { shellCall } from './shell.ts';

export { blank } from './made.ts';
export type { ToolCall, Workbench } from './made.ts';
export { waitCall } from './shell.ts';

/** What is to be done, as a call of a tool that this agent offers. Throws RecordingMismatch where it offers none for it. */
export function toolCall(bench: Workbench, call: NeutralCall): ToolCall {
  const { shell, read, write, edit, report, tool } = call;
  if (shell !== undefined) return shellCall(bench, shell);
  if (read !== undefined) return readCall(bench, read);
  if (write !== undefined) return writeCall(bench, write);
  if (edit !== undefined) return editCall(bench, edit);
  if (report !== undefined) return reportCall(bench, report);
  return ownCall(bench, tool ?? { name: '', input: {} });
}

function ownCall(bench: Workbench, { name, input }: { name: string; input: Readonly<Record<string, unknown>> }): ToolCall {
  const tool = bench.tools.find(offered => offered.name === name);
  if (tool === undefined) throw notOffered(bench, `use the tool ${name}`);
  return { ...callOf(tool, input), args: input };
}
