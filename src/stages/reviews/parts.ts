import type { Database, Scope } from '../../db/database.ts';
import type { Depot, Upstream } from '../../support/repositories/index.ts';
import type { BlobStore, RunSettings } from '../runs/index.ts';

/** What reviews work with beside the database: the repositories, and the bundles that runs have handed in. */
export interface ReviewParts {
  readonly database: Database;
  readonly depot: Depot;
  readonly upstream: Upstream;
  readonly blobs: BlobStore;
  readonly settings: ReviewSettings;
}

export interface ReviewSettings extends Pick<RunSettings, 'modelTargets'> {
  /** How often the work on one ticket is sent back before it is failed. */
  readonly roundsMax: number;
}

/** On whose behalf the flow acts. */
export function flowScope(tenantId: string): Scope {
  return { tenantId, actor: 'flow' };
}
