import type { LeaseKey } from '../../../../src/worker/client.ts';
import type { World } from '../parts.ts';
import type { ServerVerbs } from './verbs.ts';

const kinds = {
  heartbeat: 'heartbeat',
  log: 'write',
  report: 'write',
  bundle: 'write',
  complete: 'complete',
  park: 'park',
  fail: 'fail',
} as const;

/** The same verbs, and the witness hears whenever one of a holder went well. */
export function witnessed(verbs: ServerVerbs, { witness, scheduler }: World): ServerVerbs {
  const heard: Record<string, unknown> = {};
  for (const [name, kind] of Object.entries(kinds)) {
    const verb = verbs[name as keyof typeof kinds] as (worker: string, key: LeaseKey, said: unknown) => Promise<unknown>;
    heard[name] = async (worker: string, key: LeaseKey, said: unknown) => {
      const since = scheduler.now();
      const answer = await verb(worker, key, said);
      witness.told(kind, key.token, since);
      return answer;
    };
  }
  return { ...verbs, ...heard };
}
