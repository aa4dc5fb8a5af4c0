import { SqlError } from '../types.ts';
import type { StorageTransaction, Value } from '../storage/types.ts';
import { Json } from '../values/json.ts';
import { fixed, type Scalar } from './scalar.ts';

/** Time, dice, locks, notifications, settings. */
export const worldFunctions: Readonly<Record<string, Scalar>> = {
  now: fixed({ takes: [], gives: 'timestamptz', call: (_, x) => x.world.begunAt }),
  transaction_timestamp: fixed({ takes: [], gives: 'timestamptz', call: (_, x) => x.world.begunAt }),
  clock_timestamp: fixed(
    { takes: [], gives: 'timestamptz', call: (_, x) => new Date(x.world.outside.now()) },
    { isVolatile: true },
  ),
  random: fixed({ takes: [], gives: 'float8', call: (_, x) => x.world.outside.random() }, { isVolatile: true }),
  gen_random_uuid: fixed({ takes: [], gives: 'uuid', call: (_, x) => x.world.outside.uuid() }, { isVolatile: true }),
  nextval: fixed(
    { takes: ['text'], gives: 'int8', call: ([name], x) => x.world.tx.nextval(name as string) },
    { isVolatile: true },
  ),
  pg_notify: fixed(
    {
      takes: ['text', 'text'],
      gives: 'void',
      call: ([channel, payload], x) => {
        x.world.tx.notify(channel as string, (payload as string | null) ?? '');
        return '';
      },
    },
    { takesNull: true, isVolatile: true },
  ),
  pg_advisory_xact_lock: fixed(
    {
      takes: ['int8'],
      gives: 'void',
      call: ([key], x) => {
        x.world.tx.advisoryLock(key as number);
        return '';
      },
    },
    { isVolatile: true },
  ),
  // Any number that the text decides will do: it is only ever the key of a lock.
  hashtextextended: fixed({
    takes: ['text', 'int8'],
    gives: 'int8',
    call: ([text, seed]) => hashOf(`${seed as number}/${text as string}`),
  }),
  current_setting: fixed({
    takes: ['text', 'bool'],
    gives: 'text',
    call: ([name, isOptional], x) => {
      const value = x.world.settings.get(name as string);
      if (value === undefined && isOptional !== true) {
        throw new SqlError('42704', `unrecognized configuration parameter "${name as string}"`);
      }
      return value ?? null;
    },
  }),
  'graphile_worker.add_job': fixed(
    {
      takes: ['text', 'json', 'text', 'timestamptz', 'int4', 'text'],
      gives: 'void',
      call: ([task, payload, , runAt, , jobKey], x) => {
        addJob([task, Json.of((payload as Json | null)?.value ?? {}), runAt ?? x.world.begunAt, jobKey ?? null], x.world.tx);
        return '';
      },
    },
    { names: ['identifier', 'payload', 'queue_name', 'run_at', 'max_attempts', 'job_key'], takesNull: true, isVolatile: true },
  ),
  'graphile_worker.add_jobs': fixed(
    {
      takes: ['record[]'],
      gives: 'void',
      call: ([specs], x) => {
        for (const [task, payload, , runAt, , jobKey] of specs as Value[][])
          addJob([task, Json.of((payload as Json | null)?.value ?? {}), runAt ?? x.world.begunAt, jobKey ?? null], x.world.tx);
        return '';
      },
    },
    { names: ['specs'], isVolatile: true },
  ),
  // Writes to graphile-worker's tables by itself, of which there is only a likeness here.
  put_jobs: fixed(
    {
      takes: ['text[]', 'json[]'],
      gives: 'void',
      call: ([tasks, payloads], x) => {
        for (const [i, task] of (tasks as Value[]).entries())
          addJob([task, Json.of(((payloads as Value[])[i] as Json | null)?.value ?? {}), x.world.begunAt, null], x.world.tx);
        return '';
      },
    },
    { names: ['tasks', 'payloads'], isVolatile: true },
  ),
  'graphile_worker.force_unlock_workers': fixed(
    {
      takes: ['text[]'],
      gives: 'void',
      call: ([workers], x) => {
        unlock(workers as string[], x.world.tx);
        return '';
      },
    },
    { names: ['worker_ids'], isVolatile: true },
  ),
};

/** 53 bits, in two halves. */
function hashOf(text: string): number {
  let [high, low] = [0xdeadbeef, 0x41c6ce57];
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    high = Math.imul(high ^ code, 2_654_435_761);
    low = Math.imul(low ^ code, 1_597_334_677);
  }
  return 4_294_967_296 * ((high ^ (high >>> 16)) & 0x1fffff) + ((low ^ (low >>> 13)) >>> 0);
}

const jobs = 'graphile_worker._private_jobs';
/** Columns of that table. */
const [payloadAt, runAtAt, attemptsAt, lockedByAt, lockedAtAt, jobKeyAt] = [2, 3, 4, 5, 6, 7];

/** A job of the same key that nobody runs is replaced; one that is run loses its key. */
function addJob([task, payload, runAt, jobKey]: readonly Value[], tx: StorageTransaction): void {
  const values = [tx.nextval('_private_jobs_id_seq'), task, payload, runAt, 0, null, null, jobKey];
  const rival = jobKey === null ? undefined : tx.conflicting(jobs, values);
  const before = rival && tx.read(rival);
  if (rival !== undefined && before !== undefined) {
    if (before[lockedAtAt] === null) {
      tx.update(rival, before.with(payloadAt, payload).with(runAtAt, runAt).with(attemptsAt, 0));
      return;
    }
    tx.update(rival, before.with(jobKeyAt, null));
  }
  tx.insert(jobs, values);
}

function unlock(workers: readonly string[], tx: StorageTransaction): void {
  for (const tuple of tx.scan(jobs)) {
    const values = tx.read(tuple);
    if (values !== undefined && workers.includes(values[lockedByAt] as string)) {
      tx.update(tuple, values.with(lockedByAt, null).with(lockedAtAt, null));
    }
  }
}
