import { schemaCatalog } from './catalog/index.ts';
import { Shared } from './shared.ts';
import { StoredTransaction } from './transaction.ts';
import type { Judge, Storage } from './types.ts';

interface StorageOptions {
  readonly judge: Judge;
  /** Names of unique indexes that this database is without. */
  readonly unkept?: readonly string[] | undefined;
}

/** An empty database with the tables of src/db/schema.sql and the one of its jobs, as the migrations leave it. */
export function openStorage({ judge, unkept }: StorageOptions): Storage {
  const catalog = schemaCatalog();
  const shared = new Shared(catalog, judge, unkept);
  // The one row that the migrations put in.
  shared.heap('event_sequencer').place([true, 0]);
  let lastId = 0;
  const begin = () => new StoredTransaction(shared, ++lastId);
  return {
    catalog,
    begin,
    onNotify: callback => shared.listen(callback),
    onWrite: callback => shared.watch(callback),
  };
}
