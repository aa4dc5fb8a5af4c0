import { Engine, judge, type Rewrite } from './engine.ts';
import { MemorySession } from './session.ts';
import { schemaCatalog } from './storage/catalog/index.ts';
import { openStorage } from './storage/index.ts';
import type { Catalog, Storage } from './storage/types.ts';
import type { MemoryPostgres, Outside } from './types.ts';

export { Blocked, SqlError } from './types.ts';

export interface OpenedPostgres extends MemoryPostgres {
  /** For who watches what is committed without asking. */
  readonly storage: Storage;
}

/** For tests that must fail. */
interface Unsound {
  /** Changes the text of a statement, or of a function of the schema, before it is compiled. */
  readonly rewrite?: Rewrite | undefined;
  /** Names of unique indexes that are not there. */
  readonly unkept?: readonly string[] | undefined;
}

export function openMemoryPostgres(outside: Outside, { rewrite, unkept }: Unsound = {}): OpenedPostgres {
  const storage = openStorage({ judge: schemaJudge, unkept });
  const engine = engineOf(storage.catalog, rewrite);
  return {
    storage,
    connect: role => new MemorySession({ storage, engine, outside, role }),
    onNotify: callback => storage.onNotify(callback),
  };
}

/** What is compiled serves all databases of a process. */
const plain = new WeakMap<Catalog, Engine>();
const rewritten = new WeakMap<Rewrite, Engine>();
const schemaJudge = judge(() => engineOf(schemaCatalog(), undefined));

function engineOf(of: Catalog, rewrite: Rewrite | undefined): Engine {
  const known = rewrite === undefined ? plain.get(of) : rewritten.get(rewrite);
  if (known !== undefined) return known;
  const made = new Engine(of, rewrite);
  if (rewrite === undefined) plain.set(of, made);
  else rewritten.set(rewrite, made);
  return made;
}
