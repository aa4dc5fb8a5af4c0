import type { OfferedTool } from '../conversation/index.ts';
import { isSearch } from '../conversation/progress.ts';
import { callOf, parameter, type ToolCall, type Workbench } from './made.ts';
import { quoted, shellCall } from './shell.ts';

/**
 * A report to Skep: by the agent's MCP tool; where tools are offered only on demand, by looking it up first; and by the command
 * skep-report where the agent has no MCP.
 */
export function reportCall(bench: Workbench, report: { tool: string; args: Readonly<Record<string, unknown>> }): ToolCall {
  const tool = bench.tools.find(offered => isReport(offered, report.tool));
  if (tool !== undefined) return callOf(tool, report.args);
  const search = bench.tools.find(isSearch);
  if (search !== undefined && !bench.hasSearched) return searchCall(search, report.tool);
  return shellCall(bench, `skep-report ${quoted(report.tool)} --json ${quoted(JSON.stringify(report.args))}`);
}

/** submit_result is mcp__skep__submit_result, skep_submit_result, or that name in a group, according to the agent. */
export function isReport({ name }: Pick<OfferedTool, 'name'>, tool: string): boolean {
  return name === tool || ['_', '-', '.', '/', ':'].some(mark => name.endsWith(mark + tool));
}

/** Claude Code takes names alone when they follow `select:`. */
function searchCall(search: OfferedTool, tool: string): ToolCall {
  const isSelecting = JSON.stringify(search.schema).includes('select:') || search.name === 'ToolSearch';
  const name = parameter(search, ['query']) ?? 'query';
  return callOf(search, { [name]: isSelecting ? `select:mcp__skep__${tool}` : `skep ${tool}` });
}
