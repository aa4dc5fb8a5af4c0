import type { ResultEvidence } from '../../../../contract/results.ts';
import { statement } from '../../../db/statement.ts';
import type { Tables } from '../../../db/tables.gen.ts';

export interface ResultRow extends Omit<Tables['result_submissions'], 'tenantId'> {
  evidence: ResultEvidence;
  criteria: string[];
}

const columns = 'id, spec_id, version, state, proof, summary, evidence, criteria, submitted_by, reason, created_at, decided_at';

export const resultById = statement<ResultRow>(
  'result_by_id',
  `select ${columns} from result_submissions where tenant_id = $1 and id = $2`,
);

export const resultsOfSpec = statement<ResultRow>(
  'results_of_spec',
  `select ${columns} from result_submissions where tenant_id = $1 and spec_id = $2 order by version desc limit $3`,
);

/** The last version, and whether its evidence is $3: jsonb compares what is meant and not how it is spelt. */
export const newestOfSpec = statement<ResultRow & { sameEvidence: boolean }>(
  'newest_result_of_spec',
  `select ${columns}, evidence = $3::jsonb as same_evidence from result_submissions
    where tenant_id = $1 and spec_id = $2 order by version desc limit 1`,
);

/** The next version. The row of the spec is locked, so two of them never count the same. */
export const insertResult = statement<ResultRow>(
  'insert_result',
  `insert into result_submissions (tenant_id, spec_id, version, proof, summary, evidence, criteria, submitted_by)
   select $1, $2::uuid, 1 + coalesce(max(version), 0), $3, $4, $5::jsonb, $6::jsonb, $7
     from result_submissions where tenant_id = $1 and spec_id = $2::uuid
   returning ${columns}`,
);

export const decideResultRow = statement<ResultRow>(
  'decide_result',
  `update result_submissions set state = $3, reason = $4, decided_at = now()
    where tenant_id = $1 and id = $2 and state = any ($5::text[]) returning ${columns}`,
);

/** What is still undecided of a spec, and never will be. */
export const closeResultRows = statement<ResultRow>(
  'close_results',
  `update result_submissions set state = $3, reason = $4, decided_at = now()
    where tenant_id = $1 and spec_id = $2 and state = any ($5::text[]) returning ${columns}`,
);

/** Why it is not decided yet. */
export const explainResult = statement<object>(
  'explain_result',
  `update result_submissions set reason = $3
    where tenant_id = $1 and id = $2 and state = 'submitted' and reason is distinct from $3`,
);
