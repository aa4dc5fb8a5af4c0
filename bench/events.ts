import WebSocket from 'ws';
import { liveFrame } from '../contract/events.ts';
import { project } from '../contract/projects.ts';
import { ticket } from '../contract/tickets.ts';
import type { Client } from '../src/client/index.ts';
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
    for (const crowd of crowds) figures.push(...(await append(stage, place, crowd)));
    figures.push(await sequence(place));
    const { server, client } = await freshServer(stage);
    for (const { writers } of crowds) figures.push(...(await deliver(stage, { server, client, writers })));
    return figures;
  },
};

async function append(
  stage: Stage,
  { database, enginePool, tenantId, superuser }: Place,
  { writers, count }: { writers: number; count: number },
): Promise<Figure[]> {
  const sequencer = createSequencer(database, systemClock, silentLog);
  sequencer.start();
  const bare: number[] = [];
  const announced: number[] = [];
  const id = 'TKT-001';
  for (let round = 0; round < rounds; round++) {
    for (const statement of emptyQueues) await superuser.query(statement);
    bare.push(await rate(count, writers, () => enginePool.query(bareAppend, [tenantId, id])));
    const event = { type: 'ticket.changed', subject: { type: 'ticket', id }, payload: { title: 'bench' } } as const;
    const scope = { tenantId, actor: 'bench' };
    announced.push(await rate(count, writers, () => database.request(scope, async tx => tx.announce(event))));
    stage.say(
      `${writers} writers, round ${round + 1}: bare ${Math.round(bare.at(-1) ?? 0)}/s, ours ${Math.round(announced.at(-1) ?? 0)}/s`,
    );
  }
  await sequencer.stop();
  const at = `${writers} ${writers === 1 ? 'writer' : 'writers'}`;
  return [
    figure(`bare insert, ${at}`, 'events/s', { values: bare }),
    figure(`transaction with announce, ${at}`, 'events/s', { values: announced }),
    figure(`announce / bare, ${at}`, 'ratio', { values: announced.map((value, i) => value / (bare[i] ?? Number.NaN)) }),
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
