import { WebSocket } from 'ws';
import { liveFrame } from '../contract/events.ts';
import { project } from '../contract/projects.ts';
import { ticket } from '../contract/tickets.ts';
import type { Client } from '../src/client/index.ts';
import type { Database } from '../src/db/database.ts';
import { sequenceEvents } from '../src/db/events.sql.ts';
import { createSequencer } from '../src/db/sequencer.ts';
import { systemClock } from '../src/kernel/clock.ts';
import { silentLog } from '../src/kernel/log.ts';
import { type Bench, type Figure, figure, latency, rate, type Stage } from './harness/bench.ts';
import { bareAppend, emptyQueues, fillEvents, makeBareTables } from './harness/fill.sql.ts';
import { openPlace, type Place } from './harness/place.ts';
import { freshServer, type RunningServer } from './harness/processes.ts';

const rounds = 5;
const crowds = [
  { writers: 1, count: 500 },
  { writers: 16, count: 2_000 },
];
const backlog = 20_000;
const sequencerBatch = 1_000;
const deliveriesARound = 100;

export const events: Bench = {
  name: 'events',
  about: 'Appended events a second, the sequencer, and the way of an event from its append to a live socket.',
  async run(stage) {
    const place = await openPlace(stage);
    for (const statement of makeBareTables) await place.superuser.query(statement);
    const figures: Figure[] = [];
    for (const crowd of crowds) figures.push(...(await append(stage, { place, ...crowd })));
    figures.push(await sequence(place));
    const { server, client } = await freshServer(stage);
    for (const { writers } of crowds) figures.push(...(await deliver(stage, { server, client, writers })));
    return figures;
  },
};

/** Beside a bare insert: a transaction that announces what starts nothing, and one that announces what starts a job. */
async function append(
  stage: Stage,
  { place, writers, count }: { place: Place; writers: number; count: number },
): Promise<Figure[]> {
  const { enginePool, tenantId, superuser } = place;
  const given: Record<'bare' | 'plain' | 'job', number[]> = { bare: [], plain: [], job: [] };
  const plain = place.open({});
  const job = place.open({ 'ticket.changed': ['bench'] });
  const sequencers = [plain, job].map(database => createSequencer(database, systemClock, silentLog));
  for (const sequencer of sequencers) sequencer.start();
  const event = { type: 'ticket.changed', subject: { type: 'ticket', id: 'TKT-001' }, payload: { title: 'bench' } } as const;
  const announce = (database: Database) => database.request({ tenantId, actor: 'bench' }, async tx => tx.announce(event));
  for (let round = 0; round < rounds; round++) {
    for (const statement of emptyQueues) await superuser.query(statement);
    given.bare.push(await rate(count, writers, () => enginePool.query(bareAppend, [tenantId, event.subject.id])));
    given.plain.push(await rate(count, writers, () => announce(plain)));
    given.job.push(await rate(count, writers, () => announce(job)));
    const shown = Object.entries(given).map(([name, values]) => `${name} ${Math.round(values.at(-1) ?? 0)}/s`);
    stage.say(`${writers} writers, round ${round + 1}: ${shown.join(', ')}`);
  }
  for (const sequencer of sequencers) await sequencer.stop();
  return appendFigures(given, `${writers} ${writers === 1 ? 'writer' : 'writers'}`);
}

function appendFigures(given: Readonly<Record<'bare' | 'plain' | 'job', readonly number[]>>, at: string): Figure[] {
  const beside = (values: readonly number[]) => values.map((value, i) => value / (given.bare[i] ?? Number.NaN));
  return [
    figure(`bare insert, ${at}`, 'events/s', { values: given.bare }),
    figure(`transaction with announce, ${at}`, 'events/s', { values: given.plain }),
    figure(`the same, and it starts a job, ${at}`, 'events/s', { values: given.job }),
    figure(`announce / bare, ${at}`, 'ratio', { values: beside(given.plain) }),
    figure(`announce with a job / bare, ${at}`, 'ratio', { values: beside(given.job) }),
  ];
}

/** How fast a backlog gets its positions, as after a time without a server. */
async function sequence({ enginePool, superuser, tenantId }: Place): Promise<Figure> {
  const values: number[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const statement of emptyQueues) await superuser.query(statement);
    await superuser.query(fillEvents, [tenantId, backlog]);
    values.push(
      sequencerBatch * (await rate(backlog / sequencerBatch, 1, () => enginePool.query(sequenceEvents, [sequencerBatch]))),
    );
  }
  return figure('sequencer on a backlog', 'events/s', { values });
}

interface Delivery {
  readonly server: RunningServer;
  readonly client: Client;
  readonly writers: number;
}

/** By the event's own time, which the database gives it in the transaction, so the commit is part of the way. */
async function deliver(stage: Stage, { server, client, writers }: Delivery): Promise<Figure[]> {
  const { id: projectId } = await client.request('POST', '/api/projects', {
    body: { name: `deliver ${writers}` },
    schema: project,
  });
  const made = await Promise.all(
    Array.from({ length: writers }, (_, i) =>
      client.request('POST', '/api/tickets', { body: { project_id: projectId, title: `T${i}` }, schema: ticket }),
    ),
  );
  const arrived = await openLive(stage, server);
  const all: number[][] = [];
  for (let round = 0; round < rounds; round++) {
    const from = arrived.length;
    await rate(deliveriesARound, writers, (lane, turn) =>
      client.request('PATCH', `/api/tickets/${made[lane]?.id ?? ''}`, {
        body: { title: `Round ${round}.${turn}` },
        schema: ticket,
      }),
    );
    while (arrived.length < from + deliveriesARound) await systemClock.sleep(5);
    all.push(arrived.slice(from));
    stage.say(`${writers} writers, round ${round + 1}: ${deliveriesARound} delivered`);
  }
  return latency(`append → live socket, ${writers} ${writers === 1 ? 'writer' : 'writers'}`, { rounds: all });
}

/** Milliseconds from append to arrival of each change of a ticket, as they arrive. */
async function openLive(stage: Stage, { url, token }: RunningServer): Promise<number[]> {
  const arrived: number[] = [];
  const socket = new WebSocket(`${url.replace('http', 'ws')}/api/live?after=now`, {
    headers: { authorization: `Bearer ${token}` },
  });
  stage.atEnd(async () => socket.terminate());
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.on('message', (data: Buffer) => {
      const now = Date.now();
      const frame = liveFrame.parse(JSON.parse(data.toString('utf8')));
      if (frame.kind === 'ready') return resolve();
      if (frame.event.type === 'ticket.changed') arrived.push(now - Date.parse(frame.event.at));
    });
  });
  return arrived;
}
