import { statement } from '../../db/statement.ts';

/** How the last call of a run ended; nothing while it is under way. */
export const lastCallOfRun = statement<{ provider: string; errorClass: string | null }>(
  'last_call_of_run',
  `select provider, error_class from model_calls where tenant_id = $1 and run_id = $2 and ended_at is not null
    order by started_at desc limit 1`,
);
