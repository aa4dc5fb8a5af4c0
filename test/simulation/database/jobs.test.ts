import { beforeEach, expect, test } from 'vitest';
import { createJobs } from '../../../src/db/jobs/index.ts';
import type { FlowJob } from '../../../src/db/database.ts';
import { silentLog } from '../../../src/kernel/log.ts';
import { type OpenedPostgres, openMemoryPostgres } from '../postgres/index.ts';
import type { MemoryPostgres } from '../postgres/types.ts';
import { createDice } from '../world/dice.ts';
import { createProcess, type Process } from '../world/process.ts';
import { beginning, createScheduler, type Scheduler } from '../world/scheduler.ts';
import { dueJobs } from './due.ts';
import { type DatabaseFaults, noFaults } from './faults.ts';
import { openSimulatedDatabase, type SimulatedDatabase } from './index.ts';
import { takeJob } from './jobs.sql.ts';
import { createSimulatedListener } from './listener.ts';
import { takeSimulatedJobs } from './slots.ts';

const tenantId = '00000000-0000-4000-8000-00000000000a';
const routes = { 'project.created': ['look'] } as const;

let scheduler: Scheduler;
let postgres: MemoryPostgres;
let done: string[];

beforeEach(() => {
  scheduler = createScheduler();
  done = [];
  let ids = 0;
  postgres = openMemoryPostgres({
    now: () => scheduler.now(),
    random: () => 0.5,
    uuid: () => `00000000-0000-4000-8000-${String(++ids).padStart(12, '0')}`,
  });
  postgres.connect('owner').run(`insert into tenants (id, name) values ($1, 'one')`, [tenantId]);
});

test('jobs are done once, four at a time, and are gone', async () => {
  const server = openServer('a', async ({ subject }, { process }) => {
    done.push(subject.id);
    await process.clock.sleep(2_000);
  });
  const all = ['1', '2', '3', '4', '5'];
  for (const id of all) void announce(server.database, id);
  await scheduler.run(beginning + 1_900);
  expect([done.length, jobs().length]).toEqual([4, 5]);
  await scheduler.run(beginning + 10_000);
  expect([done.sort(), jobs()]).toEqual([all, []]);
});

test('a slot that knows that there is nothing to take does not ask, and takes what comes', async () => {
  const memory = postgres as OpenedPostgres;
  let asked = 0;
  const counted: MemoryPostgres = {
    ...postgres,
    connect(role) {
      const session = postgres.connect(role);
      const { run } = Object.getPrototypeOf(session) as typeof session;
      session.run = (text, values) => {
        if (text === takeJob.text) asked += 1;
        return run.call(session, text, values);
      };
      return session;
    },
  };
  const server = openServer('a', ({ subject }) => Promise.resolve(void done.push(subject.id)), {
    database: counted,
    isAnyDue: dueJobs(memory.storage, scheduler.now),
  });
  await scheduler.run(beginning + 10_000);
  expect(asked).toBe(0);
  void announce(server.database, '1');
  await scheduler.run(beginning + 10_100);
  expect([done, jobs()]).toEqual([['1'], []]);
  expect(asked).toBeGreaterThan(0);
});

test('one that is late is done all the same, and others meanwhile', async () => {
  const lates = [3_000];
  const server = openServer('a', ({ subject }) => Promise.resolve(void done.push(subject.id)), {
    lateMs: () => lates.shift() ?? 0,
  });
  for (const id of ['1', '2']) void announce(server.database, id);
  await scheduler.run(beginning + 2_900);
  expect(done).toEqual(['2']);
  await scheduler.run(beginning + 4_100);
  expect([done, jobs()]).toEqual([['2', '1'], []]);
});

test('one that fails is done again after e, e² … seconds', async () => {
  const times: number[] = [];
  const server = openServer('a', () => {
    times.push(scheduler.now());
    return times.length < 3 ? Promise.reject(new Error('not yet')) : Promise.resolve();
  });
  void announce(server.database, '1');
  await scheduler.run(beginning + 60_000);
  const [first = 0, second = 0, third = 0] = times;
  expect([times.length, jobs()]).toEqual([3, []]);
  // A slot looks each second.
  expect([second - first, third - second].map(ms => Math.floor(ms / 1_000))).toEqual([
    expect.toSatisfy(s => s === 2 || s === 3),
    expect.toSatisfy(s => s === 7 || s === 8),
  ]);
});

test('the jobs of a server that died are done by another within seconds', async () => {
  const dead = openServer('a', () => new Promise(() => {}));
  void announce(dead.database, '1');
  await scheduler.run(beginning + 3_000);
  expect(jobs()).toMatchObject([{ locked_by: expect.stringMatching(/^a-/) }]);
  dead.process.kill();
  dead.database.crash();
  openServer('b', ({ subject }) => Promise.resolve(void done.push(subject.id)));
  await scheduler.run(beginning + 7_000);
  expect(done).toEqual([]);
  await scheduler.run(beginning + 12_000);
  expect([done, jobs()]).toEqual([['1'], []]);
});

test('who stops gives back what it has taken', async () => {
  const server = openServer('a', ({ subject }) => Promise.resolve(void done.push(subject.id)));
  await scheduler.run(beginning + 3_000);
  const stopped = server.loop.stop();
  await scheduler.run(beginning + 6_000);
  await stopped;
  void announce(server.database, '1');
  await scheduler.run(beginning + 20_000);
  expect([done, jobs().length, postgres.connect('owner').run('select * from servers')]).toEqual([[], 1, []]);
});

test('who listens is told, late; and after a loss told that something may have been missed', async () => {
  let isLost = false;
  const dice = createDice(1);
  const faults: DatabaseFaults = { ...noFaults(dice), takesMs: () => 20, isNotificationLost: () => isLost };
  const process = createProcess(scheduler, 0);
  const listener = createSimulatedListener({ postgres, scheduler, process, dice, faults });
  const heard: string[] = [];
  listener.on('skep_runs', payload => heard.push(payload));
  const say = (payload: string) =>
    postgres.connect('owner').run(`select pg_notify('skep_runs', $1), pg_notify('skep_events', 'x')`, [payload]);
  listener.start();
  await scheduler.run(beginning + 100);
  say('first');
  expect(heard).toEqual(['']);
  await scheduler.run(beginning + 120);
  expect(heard).toEqual(['', 'first']);
  isLost = true;
  say('lost');
  isLost = false;
  say('lost too');
  await scheduler.run(beginning + 10_000);
  expect(heard).toEqual(['', 'first']);
  await scheduler.run(beginning + 11_000);
  expect(heard).toEqual(['', 'first', '']);
  await listener.stop();
});

type Work = (job: FlowJob, server: { readonly process: Process }) => Promise<void>;

interface Place {
  readonly database?: MemoryPostgres;
  readonly isAnyDue?: () => boolean;
  readonly lateMs?: () => number;
}

function openServer(name: string, work: Work, { database: memory = postgres, ...knowing }: Place = {}) {
  const dice = createDice(1, name);
  const process = createProcess(scheduler, 0);
  const database = openSimulatedDatabase({ postgres: memory, scheduler, process, dice, faults: noFaults(dice), routes });
  const tasks = { look: (job: FlowJob) => work(job, { process }) };
  const { clock } = process;
  const take = takeSimulatedJobs({ database, tasks, clock, name, ...knowing });
  const server = () => ({ name, version: '1', url: '', state: 'active' as const });
  const loop = createJobs({ database, tasks, server, take, clock, log: silentLog });
  loop.start();
  return { process, database, loop };
}

function announce(database: SimulatedDatabase, id: string): Promise<void> {
  return database.engine({ tenantId, actor: 'test' }, tx => {
    tx.announce({ type: 'project.created', subject: { type: 'project', id } });
    return Promise.resolve();
  });
}

function jobs(): Record<string, unknown>[] {
  return postgres.connect('owner').run('select * from graphile_worker._private_jobs');
}
