import type { Node } from '@libpg-query/parser';
import type { LockMode } from '../../storage/types.ts';
import { SqlError } from '../../types.ts';
import type { Run } from '../run.ts';
import { must, unsupported } from '../tree.ts';
import type { Source } from './source.ts';

/** Locks the rows that a row of a query is made of; false where one of them is held and is to be passed over. */
export type Lock = (x: Run) => boolean;

const modes: Readonly<Record<string, LockMode>> = {
  LCS_FORUPDATE: 'update',
  LCS_FORNOKEYUPDATE: 'no key update',
  LCS_FORSHARE: 'share',
  LCS_FORKEYSHARE: 'key share',
};

/** FOR UPDATE and its kin. What was locked before another was found held stays locked, as in PostgreSQL. */
export function lockOf(clauses: readonly Node[], sources: readonly Source[]): Lock | undefined {
  const locks = clauses.flatMap(node => {
    const { lockedRels, strength = '', waitPolicy } = must(node, 'LockingClause');
    const mode = modes[strength];
    if (mode === undefined || waitPolicy === 'LockWaitError') throw unsupported(`${strength} ${waitPolicy}`);
    const skipLocked = waitPolicy === 'LockWaitSkip';
    return meant(lockedRels, sources).map(({ slot }) => ({ slot, mode, how: { skipLocked } }));
  });
  if (locks.length === 0) return undefined;
  return x => {
    for (const { slot, mode, how } of locks) {
      const tuple = x.tuples[slot];
      if (tuple !== undefined && x.world.tx.lock(tuple, mode, how) === 'skipped') return false;
    }
    return true;
  };
}

function meant(names: readonly Node[] | undefined, sources: readonly Source[]): readonly Source[] {
  if (names === undefined) {
    if (sources.some(source => source.table === undefined))
      throw unsupported('a lock of all of FROM where that is more than tables');
    return sources;
  }
  return names.map(node => {
    const { relname = '' } = must(node, 'RangeVar');
    const source = sources.find(each => each.alias === relname);
    if (source === undefined) throw new SqlError('42P01', `relation "${relname}" in FOR UPDATE clause not found in FROM clause`);
    if (source.table === undefined) throw unsupported('a lock of what is no table');
    return source;
  });
}
