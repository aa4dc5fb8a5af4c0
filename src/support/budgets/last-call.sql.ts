import { statement } from '../../db/statement.ts';

export interface LastCall {
  readonly provider: string;
  readonly state: string;
  readonly status: number | null;
  readonly errorClass: string | null;
}

/**
 * How the last call of a run ended; nothing while it is under way. One that its agent left before a word of the answer came says nothing
 * of the provider that the one before it does not.
 */
export const lastCallOfRun = statement<LastCall>(
  'last_call_of_run',
  `select provider, state, status, error_class from model_calls
    where tenant_id = $1 and run_id = $2 and ended_at is not null
      and (error_class is distinct from 'client_gone' or first_byte_ms is not null)
    order by started_at desc limit 1`,
);
