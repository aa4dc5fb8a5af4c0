import { Agent, request } from 'node:http';
import { project } from '../contract/projects.ts';
import { ticket } from '../contract/tickets.ts';
import { type Bench, type Figure, figure, rate } from './harness/bench.ts';
import { freshServer, type RunningServer } from './harness/processes.ts';

const rounds = 5;
const crowds = [
  { connections: 1, count: 500 },
  { connections: 16, count: 2_000 },
];

export const http: Bench = {
  name: 'http',
  about: 'Requests a second over kept connections: a ticket, and a claim that finds nothing. The client takes a core of its own.',
  async run(stage) {
    const { server, client } = await freshServer(stage);
    const { id: projectId } = await client.request('POST', '/api/projects', { body: { name: 'http' }, schema: project });
    const { id } = await client.request('POST', '/api/tickets', {
      body: { project_id: projectId, title: 'Asked for' },
      schema: ticket,
    });
    // Only this ticket's run is there, and no claim below can do what it asks for.
    const claim = JSON.stringify({ worker: 'bench', capabilities: ['nothing'], wait_ms: 0, ticket_id: 'TKT-999' });
    const figures: Figure[] = [];
    for (const crowd of crowds) {
      const get = { server, method: 'GET', path: `/api/tickets/${id}`, status: 200, ...crowd };
      figures.push(await ask(`GET /api/tickets/:id`, get));
      figures.push(await ask('POST /api/claim → 204', { ...get, method: 'POST', path: '/api/claim', body: claim, status: 204 }));
    }
    return figures;
  },
};

interface Question {
  readonly server: RunningServer;
  readonly method: string;
  readonly path: string;
  readonly body?: string;
  readonly status: number;
  readonly connections: number;
  readonly count: number;
}

async function ask(name: string, question: Question): Promise<Figure> {
  const { connections, count } = question;
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const values: number[] = [];
  try {
    for (let round = 0; round < rounds; round++) values.push(await rate(count, connections, () => send(agent, question)));
  } finally {
    agent.destroy();
  }
  return figure(`${name}, ${connections} ${connections === 1 ? 'connection' : 'connections'}`, 'requests/s', { values });
}

function send(agent: Agent, { server, method, path, body, status }: Question): Promise<void> {
  const headers = {
    authorization: `Bearer ${server.token}`,
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
  };
  return new Promise((resolve, reject) => {
    const sent = request(`${server.url}${path}`, { agent, method, headers }, answer => {
      answer.resume();
      answer.once('error', reject);
      answer.once('end', () =>
        answer.statusCode === status ? resolve() : reject(new Error(`${method} ${path} answered ${answer.statusCode}`)),
      );
    });
    sent.once('error', reject);
    sent.end(body);
  });
}
