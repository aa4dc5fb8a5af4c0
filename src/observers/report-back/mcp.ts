import type { IncomingMessage, ServerResponse } from 'node:http';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import type { RequestHandlerExtra } from '@modelcontextprotocol/sdk/shared/protocol.js';
import {
  type CallToolResult,
  ListToolsRequestSchema,
  type ServerNotification,
  type ServerRequest,
} from '@modelcontextprotocol/sdk/types.js';
import {
  type ReportAnswer,
  type ReportInput,
  type ReportTool,
  reportToolNames,
  reportTools,
  reportToolTexts,
} from '../../../contract/talk/report-back.ts';
import { type Fault, isFault } from '../../kernel/fault.ts';
import type { Log } from '../../kernel/log.ts';
import type { RunContext } from '../../stages/runs/index.ts';
import type { AskParts } from './ask.ts';
import { callTool, hasTool } from './tools.ts';

export interface McpCall {
  readonly run: RunContext;
  /** Takes the run token out of what an agent says. */
  readonly redact: <T>(args: T) => T;
  readonly version: string;
  readonly log: Log;
}

type Extra = RequestHandlerExtra<ServerRequest, ServerNotification>;

/** Comments on the stream, so that nothing on the way cuts a connection on which an agent waits. */
const keepAliveMs = 5_000;

/**
 * Answers one request of MCP's streamable HTTP. Without sessions: each request has a server of its own, so any server of Skep answers
 * any of them.
 */
export async function answerMcp(
  parts: AskParts,
  call: McpCall,
  { request, response, body }: { request: IncomingMessage; response: ServerResponse; body: unknown },
): Promise<void> {
  const server = new McpServer({ name: 'skep', version: call.version });
  const given = reportToolNames.filter(name => hasTool(call.run, name));
  for (const name of given) register(server, parts, { call, name });
  if (given.length === 0) listNone(server);
  const transport = new StreamableHTTPServerTransport({ keepAliveMs });
  response.once('close', () => void server.close().catch(() => {}));
  await server.connect(transport);
  await transport.handleRequest(request, response, body);
}

/** Without a tool the SDK would refuse to list any, and some agents take that for a server that is broken. */
function listNone({ server }: McpServer): void {
  server.registerCapabilities({ tools: {} });
  server.setRequestHandler(ListToolsRequestSchema, () => ({ tools: [] }));
}

function register(server: McpServer, parts: AskParts, { call, name }: { call: McpCall; name: ReportTool }): void {
  const config = { description: reportToolTexts[name], inputSchema: reportTools[name] };
  server.registerTool(name, config, async (args: unknown, extra: Extra): Promise<CallToolResult> => {
    try {
      const waiting = { signal: extra.signal, onWait: (seconds: number) => tellProgress(extra, seconds) };
      // The SDK has checked the arguments by the schema of this very tool.
      const checked = call.redact(args as ReportInput<ReportTool>);
      return textOf(await callTool(parts, name, { run: call.run, args: checked, waiting }));
    } catch (error) {
      if (!isFault(error)) call.log.error({ tool: name, error: String(error) }, 'a tool of an agent failed');
      const text = isFault(error) ? refusalOf(error) : serverFailed;
      return { isError: true, content: [{ type: 'text', text }] };
    }
  });
}

/** What is wrong inside the server is nothing for an agent to read. */
export const serverFailed = 'The server failed: try again';

function refusalOf({ message, hint }: Fault): string {
  return [message, ...(hint === undefined ? [] : [hint])].join('. ');
}

function textOf({ message, ...more }: ReportAnswer): CallToolResult {
  const text = Object.keys(more).length === 0 ? message : JSON.stringify({ message, ...more }, null, 2);
  return { content: [{ type: 'text', text }] };
}

async function tellProgress({ _meta, sendNotification }: Extra, seconds: number): Promise<void> {
  const progressToken = _meta?.progressToken;
  if (progressToken === undefined) return;
  const message = `waiting for a person, ${seconds} s so far`;
  await sendNotification({ method: 'notifications/progress', params: { progressToken, progress: seconds, message } });
}
