import type { Database, Tx } from '../../../db/database.ts';
import type { Clock } from '../../../kernel/clock.ts';
import type { Log } from '../../../kernel/log.ts';
import { createLoop, type Lifecycle } from '../../../kernel/loop.ts';
import { brakesDue, easeBrake, holdBrake, liftBrake, pullBrake } from '../../../support/fleet/index.ts';
import type { RunSettings } from '../settings.ts';
import { brakesTried, type StormRow, stormsBrewing } from './storm.sql.ts';

interface StormOptions {
  readonly database: Database;
  readonly settings: Pick<RunSettings, 'stormFailures'>;
  readonly clock: Clock;
  readonly log: Log;
}

/** Runs that ended within it are looked at. */
const windowMs = 60_000;
const idleMs = 1_000;
const brakesMax = 100;

/** The first pull holds for a minute, each further one in a row twice as long. */
const holdMs = 60_000;
const holdMsMax = 900_000;

/**
 * Runs that break off all over a tenant are not tried again and again: its brake is pulled, and after a while one run at a time shows
 * whether things work again. All of it stands in rows, so that several servers may watch at once.
 */
export function createStormWatch({ database, settings, clock, log }: StormOptions): Lifecycle {
  return createLoop({
    name: 'storm',
    clock,
    log,
    idleMs,
    async turn() {
      await watchStorms(database, settings);
      return false;
    },
  });
}

/** One look: brakes whose time has come, those that are being tried, and new storms. */
export async function watchStorms(database: Database, { stormFailures }: StormOptions['settings']): Promise<void> {
  const each = async (rows: readonly { tenantId: string }[], verb: (tx: Tx) => Promise<unknown>) => {
    for (const { tenantId } of rows) await database.engine({ tenantId, actor: 'storm' }, verb);
  };
  await each(await database.enginePool.query(brakesDue, [brakesMax]), easeBrake);
  await each(await database.enginePool.query(brakesTried, [null]), judgeTrial);
  const wanted = [windowMs, stormFailures] as const;
  await each(await database.enginePool.query(stormsBrewing, wanted), async tx => {
    const present = await holdBrake(tx);
    const storm = (await tx.query(stormsBrewing, wanted)).find(({ tenantId }) => tenantId === tx.tenantId);
    if (storm !== undefined && (present?.state ?? 'off') === 'off') await brake(tx, present?.pulls ?? 0, stormText(storm));
  });
}

/** What is known outside may have changed meanwhile: another server has judged it, or a person has lifted it. */
async function judgeTrial(tx: Tx): Promise<void> {
  const present = await holdBrake(tx);
  const [trial] = await tx.query(brakesTried, [tx.tenantId]);
  if (present === undefined || trial === undefined) return;
  if (trial.brokeOff) await brake(tx, present.pulls, 'A run that was to show whether things work again broke off too');
  else if (trial.wentWell) await liftBrake(tx, ['trying']);
}

async function brake(tx: Tx, pullsBefore: number, reason: string): Promise<void> {
  await pullBrake(tx, { reason, by: 'storm', dueMs: Math.min(holdMs * 2 ** pullsBefore, holdMsMax) });
}

function stormText({ failed, ended, mostly }: StormRow): string {
  return `${failed} of ${ended} runs that ended within a minute broke off, most of them: ${mostly.replaceAll('_', ' ')}`;
}
