import { chainLengths } from '../../src/kernel/graph.ts';
import type { Statement } from '../../src/db/statement.ts';
import type { SqlValue } from '../../src/db/pool.ts';
import { claimRun, claimRuns } from '../../src/stages/runs/queue/claim.sql.ts';
import { type Bench, type Figure, figure, quantile, type Stage } from '../harness/bench.ts';
import { emptyQueues, fillRuns, fillTickets, makeBareTables, settle } from '../harness/fill.sql.ts';
import { openPlace, type Place, servers } from '../harness/place.ts';
import { forecastFiles, noFiles, noLimits, setLimit } from './cost.sql.ts';

const depth = 100_000;
const looks = 40;
const goal = { is: 'at most', value: 50 } as const;

/**
 * What goes next is decided by the statement that claims it, and nowhere else: the queue is an index in the order of priority, chain
 * and age. It is made in a transaction that is then given up, so that each look finds the same queue. The chains are lengths of paths
 * through the graph, told anew when a dependency changes: that is a model without a database.
 */
export const decision: Bench = {
  name: 'decision',
  about:
    'How long it takes to decide what goes next, of 100,000 tickets: the claim, where nothing holds it back and where much does.',
  async run(stage) {
    const found: Figure[] = [chains()];
    for (const { server, on } of servers) {
      const place = await openPlace(stage, server);
      const { superuser, tenantId, projectId } = place;
      for (const statement of [...makeBareTables, ...emptyQueues]) await superuser.query(statement);
      await superuser.query(fillTickets, [tenantId, projectId, depth, 1]);
      await superuser.query(fillRuns, [tenantId, depth, 1, projectId]);
      for (const statement of settle) await superuser.query(statement);
      found.push(...(await decide(stage, place, on)));
    }
    return found;
  },
};

async function decide(stage: Stage, place: Place, on: string): Promise<Figure[]> {
  const { superuser, tenantId, projectId } = place;
  const hash = Buffer.from('00', 'hex');
  const one = [tenantId, 'bench', hash, ['agent:exec'], 15_000, null, hash] as const;
  const quick = [tenantId, ['agent:exec'], 15_000, ['bench'], [hash], [hash]] as const;
  const found: Figure[] = [];
  const look = async <Row>(what: string, statement: Statement<Row>, values: readonly SqlValue[]) => {
    const took = await looksOf(place, statement, values);
    stage.say(`${what}${on}: ${quantile(took, 0.5).toFixed(1)} ms`);
    found.push(
      figure(`decision, ${what}${on}, p50`, 'ms', { values: [quantile(took, 0.5)], goal }),
      figure(`decision, ${what}${on}, p99`, 'ms', { values: [quantile(took, 0.99)] }),
    );
  };
  await look('nothing holds back', claimRuns, quick);
  await superuser.query(setLimit, [tenantId, 'tenant', '', 5]);
  await look('a limit is not reached', claimRun, one);
  await superuser.query(setLimit, [tenantId, 'project', projectId, 0]);
  await look('its project is at its limit', claimRun, one);
  await superuser.query(noLimits, [tenantId]);
  await look('no worker can do it', claimRun, [tenantId, 'bench', hash, ['agent:pi'], 15_000, null, hash]);
  await superuser.query(forecastFiles, [tenantId]);
  await look('each names ten files', claimRun, one);
  await superuser.query(noFiles, [tenantId]);
  return found;
}

/** How long each of some looks takes, in a transaction that is given up: milliseconds. */
export async function looksOf<Row>(
  { enginePool }: Place,
  { name, text }: Statement<Row>,
  values: readonly SqlValue[],
): Promise<number[]> {
  const client = await enginePool.connect();
  const took: number[] = [];
  try {
    for (let look = 0; look < looks; look++) {
      await client.query('begin');
      const from = performance.now();
      await client.query({ name, text, values: [...values] });
      took.push(performance.now() - from);
      await client.query('rollback');
    }
  } finally {
    client.release();
  }
  return took;
}

/** A graph in layers of a hundred, each ticket waiting for two of the layer before. */
function chains(): Figure {
  const width = 100;
  const nodes = Array.from({ length: depth }, (_, i) => ({
    id: String(i),
    needs: i < width ? [] : [String(i - width), String(i - width + ((i + 1) % width) - (i % width))],
  }));
  const took = Array.from({ length: 5 }, () => {
    const from = performance.now();
    if (chainLengths(nodes).size !== depth) throw new Error('a ticket has no chain');
    return performance.now() - from;
  });
  return figure('chains of 100,000 tickets told anew', 'ms', { values: took });
}
