import { z } from 'zod';
import { eventPage, type WireEvent } from '../contract/events.ts';
import { project } from '../contract/projects.ts';
import { runList } from '../contract/runs.ts';
import { ticket } from '../contract/tickets.ts';
import type { Client } from '../src/client/index.ts';
import { systemClock } from '../src/kernel/clock.ts';
import { type Bench, latency, type Stage } from './harness/bench.ts';
import { freshServer, startWorker } from './harness/processes.ts';
import { makeRepository } from './harness/repository.ts';

const rounds = 3;
const ticketsARound = 20;
const endMs = 30_000;

export const readyToAgent: Bench = {
  name: 'ready-to-agent',
  about: 'From a ticket that becomes ready to its agent at work in a sandbox of a real worker, by the events; one at a time.',
  async run(stage) {
    const { server, client } = await freshServer(stage);
    await startWorker(stage, { server, client });
    const { id } = await client.request('POST', '/api/projects', { body: demo(stage), schema: project });
    // The first run clones the repository; what is measured is the rest of a worker's life.
    await follow(client, id);
    const ways: Way[][] = [];
    for (let round = 0; round < rounds; round++) {
      const way: Way[] = [];
      for (let i = 0; i < ticketsARound; i++) way.push(await follow(client, id));
      ways.push(way);
      stage.say(`round ${round + 1}: ${way.length} agents started`);
    }
    const part = (of: (way: Way) => number) => ways.map(way => way.map(of));
    return [
      ...latency('ticket ready → agent started', {
        rounds: part(way => way.agent - way.ready),
        goal: { is: 'at most', value: 300 },
      }),
      ...latency('of it, ready → queued', { rounds: part(way => way.queued - way.ready) }),
      ...latency('of it, queued → leased', { rounds: part(way => way.leased - way.queued) }),
      ...latency('of it, leased → agent started', { rounds: part(way => way.agent - way.leased) }),
      ...latency('ticket ready → completed, the agent taking no time', { rounds: part(way => way.completed - way.ready) }),
    ];
  },
};

/** Milliseconds since the epoch; server, database and worker share this machine's clock. */
interface Way {
  readonly ready: number;
  readonly queued: number;
  readonly leased: number;
  readonly agent: number;
  readonly completed: number;
}

async function follow(client: Client, projectId: string): Promise<Way> {
  const body = { project_id: projectId, title: 'Write a note' };
  const { id } = await client.request('POST', '/api/tickets', { body, schema: ticket });
  const ofTicket = await lifeOf(client, id);
  const { runs } = await client.request('GET', '/api/runs', { query: { ticket_id: id }, schema: runList });
  const ofRun = await eventsOf(client, runs[0]?.id ?? '');
  return {
    ready: timeOf(ofTicket, 'ticket.ready'),
    queued: timeOf(ofRun, 'run.queued'),
    leased: timeOf(ofRun, 'run.leased'),
    agent: agentStarted(ofRun),
    completed: timeOf(ofTicket, 'ticket.completed'),
  };
}

/** All events of a ticket, once it is completed. */
async function lifeOf(client: Client, ticketId: string): Promise<readonly WireEvent[]> {
  const deadline = systemClock.mono() + endMs;
  for (;;) {
    const events = await eventsOf(client, ticketId);
    if (events.some(({ type }) => type === 'ticket.completed')) return events;
    const isOver = systemClock.mono() > deadline || events.some(({ type }) => type === 'ticket.failed');
    if (isOver) throw new Error(`${ticketId} was not completed: ${JSON.stringify(events.at(-1))}`);
    // Seldom enough that asking does not slow the run down.
    await systemClock.sleep(100);
  }
}

async function eventsOf(client: Client, subject: string): Promise<readonly WireEvent[]> {
  return (await client.request('GET', '/api/events', { query: { subject, limit: 100 }, schema: eventPage })).events;
}

function timeOf(events: readonly WireEvent[], type: string): number {
  const found = events.find(event => event.type === type);
  if (found === undefined) throw new Error(`there is no ${type}`);
  return Date.parse(found.at);
}

const agentReport = z.object({ details: z.object({ at: z.iso.datetime() }) });

/** The worker says when the process was there; its report is sent a little later. */
function agentStarted(events: readonly WireEvent[]): number {
  const report = events.find(({ type, payload }) => type === 'run.reported' && payload['report'] === 'agent.started');
  return Date.parse(agentReport.parse(report?.payload).details.at);
}

function demo(stage: Stage) {
  const repository = makeRepository(stage);
  const agent = { kind: 'exec', command: ['sh', '-c', 'cat /proc/sys/kernel/random/uuid > note.txt'] };
  return { name: 'demo', repository, agent };
}
