import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js';
import { afterAll } from 'vitest';
import type { Claimed } from '../../contract/runs.ts';
import type { WireQuestion } from '../../contract/talk/questions.ts';
import type { Answer, TestApi } from './server.ts';

export const textOf = (result: unknown): string => {
  const [first] = (result as CallToolResult).content;
  return first?.type === 'text' ? first.text : '';
};
export const held = ({ run, lease }: Claimed) => ({ run_id: run.id, token: lease.token });

export interface ReportBack {
  /** A run of a new ticket of a project, in the hands of a worker. */
  claimed(project?: string): Promise<Claimed>;
  claim(ticketId: string): Promise<Claimed>;
  projectOf(): Promise<string>;
  /** To the tools of a run, by its token. */
  connect(token: string): Promise<Client>;
  call(client: Client, name: string, args?: Record<string, unknown>): ReturnType<Client['callTool']>;
  /** The same as plain JSON. */
  report(token: string, tool: string, body: unknown): Promise<Answer>;
  questions(ticketId: string | undefined, state?: string): Promise<WireQuestion[]>;
  answer(id: string, text: string): Promise<Answer>;
}

/** What an agent says to a server while a test is its worker; its connections end with the tests of the file. */
export function reportBack(api: () => TestApi): ReportBack {
  const clients: Client[] = [];
  let count = 0;
  afterAll(async () => {
    for (const client of clients) await client.close();
  });

  async function projectOf(): Promise<string> {
    const agent = { kind: 'exec', command: ['true'] };
    const made = await api().call('POST', '/api/projects', { name: `p${++count}`, checks: [], agent });
    return String(made.body['id']);
  }

  async function claim(ticketId: string): Promise<Claimed> {
    const { body } = await api().call('POST', '/api/claim', { worker: 'w', ticket_id: ticketId, wait_ms: 20_000 });
    return body as unknown as Claimed;
  }

  return {
    projectOf,
    claim,
    async claimed(project) {
      const id = project ?? (await projectOf());
      const wanted = { project_id: id, title: 'Sort', description: 'Sort them', acceptance_criteria: ['they are sorted'] };
      const ticket = await api().call('POST', '/api/tickets', wanted);
      return claim(String(ticket.body['id']));
    },
    async connect(token) {
      const client = new Client({ name: 'test', version: '1' });
      const headers = { authorization: `Bearer ${token}` };
      const transport = new StreamableHTTPClientTransport(new URL(`${api().url}/gateway/mcp`), { requestInit: { headers } });
      await client.connect(transport);
      clients.push(client);
      return client;
    },
    call: (client, name, args = {}) => client.callTool({ name, arguments: args }),
    report: (token, tool, body) => api().callAs(token)('POST', `/gateway/report/${tool}`, body),
    async questions(ticketId, state = 'pending') {
      const { body } = await api().call('GET', `/api/questions?state=${state}&ticket_id=${ticketId}`);
      return body['questions'] as WireQuestion[];
    },
    answer: (id, text) => api().call('POST', `/api/questions/${id}/answer`, { answer: text }),
  };
}
