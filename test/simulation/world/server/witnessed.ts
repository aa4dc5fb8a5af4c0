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

/** The same verbs of the server with this number, and the witness hears whenever one of a holder went well. */
export function witnessed(verbs: ServerVerbs, { witness, scheduler, strikes, servedBy }: World, number: number): ServerVerbs {
  const heard: Record<string, unknown> = {};
  for (const [name, kind] of Object.entries(kinds)) {
    const verb = verbs[name as keyof typeof kinds] as (worker: string, key: LeaseKey, said: unknown) => Promise<unknown>;
    heard[name] = async (worker: string, key: LeaseKey, said: unknown) => {
      const since = scheduler.now();
      const answer = await verb(worker, key, said);
      witness.told(kind, key.token, since);
      if ((servedBy.get(key.token) ?? number) !== number) strikes.count('leaseAtTwoServers');
      servedBy.set(key.token, number);
      return answer;
    };
  }
  return { ...verbs, ...heard };
}
