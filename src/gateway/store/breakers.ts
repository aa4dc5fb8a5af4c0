import type { Database } from '../../db/database.ts';
import type { BreakerStore } from '../call/breakers.ts';
import { breakersOfAll, putBreaker } from './breakers.sql.ts';

/** What is read at the start of a server. */
const rowsMax = 1_000;

/** The states of breakers as rows; of every tenant, since one gateway serves them all. */
export function createBreakerStore(database: Database): BreakerStore {
  return {
    load: () => database.enginePool.query(breakersOfAll, [rowsMax]),
    save: ({ tenantId, provider, model }, { state, retryMs, news }) =>
      database.engine({ tenantId, actor: 'gateway' }, async tx => {
        await tx.query(putBreaker, [tenantId, provider, model, JSON.stringify(state), retryMs]);
        if (news !== null)
          tx.announce({ type: news, subject: { type: 'model', id: `${provider}/${model}` }, payload: { retryMs } });
      }),
  };
}
