import { statement } from '../../../db/statement.ts';

export interface ArtifactRow {
  readonly name: string;
  readonly sha256: string;
  readonly size: number;
  readonly createdAt: Date;
}

/** What a run has kept, by name. */
export const artifactsOfRun = statement<ArtifactRow>(
  'artifacts_of_run',
  `select name, sha256, size, created_at from blobs
    where tenant_id = $1 and run_id = $2 and kind = 'artifact' and ($3::text is null or name = $3) order by name`,
);

/** What stood under this name until now. */
export const dropArtifact = statement<object>(
  'drop_artifact',
  `delete from blobs where tenant_id = $1 and run_id = $2 and kind = 'artifact' and name = $3 and sha256 <> $4`,
);

export const insertArtifact = statement<object>(
  'insert_artifact',
  `insert into blobs (tenant_id, run_id, kind, name, sha256, size) values ($1, $2, 'artifact', $3, $4, $5) on conflict do nothing`,
);
