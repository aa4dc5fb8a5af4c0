import { systemClock } from '../src/kernel/clock.ts';
import { silentLog } from '../src/kernel/log.ts';
import { createLedger, type Ledger, setBudget, type Spender } from '../src/support/budgets/index.ts';
import { type Bench, type Figure, figure, rate, type Stage } from './harness/bench.ts';
import { commitsOfTheLog, engineSessions, enterSession, fillRuns, fillTickets, runsOfTenant } from './harness/fill.sql.ts';
import { openPlace, type Place } from './harness/place.ts';
import { coreUs } from './harness/processes.ts';

const rounds = 5;
const lanes = 16;
const count = 1_500;
/** One cap over all, one over the project, or those and one of each ticket. */
const cases = [
  { name: 'no budget', scopes: [] },
  { name: 'one budget that all calls share', scopes: ['tenant'] },
  { name: 'three budgets, one of them for each ticket', scopes: ['tenant', 'project', 'ticket'] },
] as const;

export const reservations: Bench = {
  name: 'reservations',
  about: 'A reservation before a call of a model and its settlement after it, 16 at once.',
  async run(stage) {
    const place = await openPlace(stage);
    const { database, enginePool } = place;
    const ledger = createLedger({
      ...{ database: { ...database, enginePool, committed() {} }, clock: systemClock, log: silentLog, random: () => 0.5 },
      onSpent: () => Promise.reject(new Error('nothing is to be spent here')),
    });
    const runs = await runsOf(place);
    const figures: Figure[] = [];
    for (const { name, scopes } of cases) {
      for (const scope of scopes) await setBig(place, scope);
      figures.push(...(await measure(stage, { place, ledger, runs, name })));
    }
    return [...figures, await commits(stage, place)];
  },
};

interface Measured {
  readonly place: Place;
  readonly ledger: Ledger;
  readonly runs: readonly Spender[];
  readonly name: string;
}

async function measure(stage: Stage, { place, ledger, runs, name }: Measured): Promise<Figure[]> {
  const speed: number[] = [];
  const cost: number[] = [];
  for (let round = 0; round < rounds; round++) {
    // Connections that were idle for long are gone: a round measures no logins.
    await Promise.all(Array.from({ length: lanes }, () => place.enginePool.query(enterSession)));
    const pids = (await place.superuser.query(engineSessions)).map(({ pid }) => pid);
    const before = coreUs(pids);
    speed.push(await rate(count, lanes, lane => reserveAndSettle(ledger, runs[lane])));
    cost.push((coreUs(pids) - before) / count);
    stage.say(`${name}, round ${round + 1}: ${Math.round(speed.at(-1) ?? 0)}/s`);
  }
  return [
    figure(`reserve and settle, ${name}`, 'calls/s', { values: speed, goal: { is: 'at least', value: 1_000 } }),
    figure(`core time of PostgreSQL, ${name}`, 'µs/call', { values: cost }),
  ];
}

const price = { input: 3_000_000, output: 15_000_000, cached: 300_000, cacheWrite: 3_750_000, asOf: '2026-01-02' };
const never = new AbortController().signal;

async function reserveAndSettle(ledger: Ledger, run: Spender | undefined): Promise<void> {
  if (run === undefined) throw new Error('a lane has no run');
  const wanted = { run, wire: 'anthropic', provider: 'anthropic', model: 'm', isRecorded: false, price };
  const reserved = await ledger.reserve({ ...wanted, inputTokens: 2_000, outputTokens: 4_000, outputTokensMin: 16 }, never);
  if (reserved.kind !== 'granted') throw new Error(`not granted: ${reserved.message}`);
  await ledger.settle(reserved.callId, {
    ...{ tenantId: run.tenantId, state: 'completed', status: 200, errorClass: null, attempts: 1 },
    ...{ provider: 'anthropic', model: 'm', costMicroUsd: 12_000, firstByteMs: 300 },
    usage: { inputTokens: 1_500, outputTokens: 500, cachedTokens: 0, cacheWriteTokens: 0, reasoningTokens: 0 },
  });
}

/** What one connection can commit one after another: nobody can change one row more often than that. */
async function commits(stage: Stage, { superuser, tenantId }: Place): Promise<Figure> {
  const values: number[] = [];
  for (let round = 0; round < rounds; round++)
    values.push(await rate(500, 1, () => superuser.query(commitsOfTheLog, [tenantId])));
  stage.say(`commits one after another: ${Math.round(values.at(-1) ?? 0)}/s`);
  return figure('commits one after another, one row', 'commits/s', { values });
}

async function runsOf({ superuser, tenantId, projectId }: Place): Promise<Spender[]> {
  await superuser.query(fillTickets, [tenantId, projectId, lanes, 1]);
  await superuser.query(fillRuns, [tenantId, lanes, 1, projectId]);
  const rows = await superuser.query(runsOfTenant, [tenantId]);
  return rows.map(({ id, ticketId }) => ({ tenantId, runId: id, projectId, specId: null, ticketId, agent: 'exec' }));
}

async function setBig({ database, tenantId, projectId }: Place, scope: 'tenant' | 'project' | 'ticket'): Promise<void> {
  const scopeId = { tenant: '', project: projectId, ticket: '*' }[scope];
  await database.request({ tenantId, actor: 'bench' }, tx =>
    setBudget(tx, { scope, scopeId, capMicroUsd: 1_000_000_000_000, capTokens: null }),
  );
}
