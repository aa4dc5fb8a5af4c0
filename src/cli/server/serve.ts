import type { Settings } from '../../config.ts';
import { createLog } from '../../kernel/log.ts';
import type { StopSignal, World } from '../world.ts';
import { Interrupted } from '../report.ts';
import { launch } from './launch.ts';
import type { Companion, Launched, StartCompanion } from './launch.ts';

export interface ServeOptions {
  readonly json?: boolean;
  readonly host?: string;
  readonly port?: number;
  readonly home?: string;
  readonly slots?: number;
}

/** A machine that is shut down waits no longer than this; a person may. */
const graceMs: Readonly<Record<StopSignal, number>> = { SIGINT: Number.POSITIVE_INFINITY, SIGTERM: 60_000 };

/**
 * Runs the server, and what `prepare` gives beside it, until the process is asked to end; then all is stopped in turn, the
 * database last. Throws Interrupted after Ctrl-C, and returns after SIGTERM, by which machines end a service.
 */
export async function serve(
  world: World,
  options: ServeOptions,
  prepare?: (settings: Settings) => Promise<StartCompanion>,
): Promise<void> {
  const settings = await world.settings({
    SKEP_HOST: options.host,
    SKEP_PORT: options.port?.toString(),
    SKEP_HOME: options.home,
    SKEP_WORKER_SLOTS: options.slots?.toString(),
  });
  const startCompanion = await prepare?.(settings);
  // Listened to before the start: who presses Ctrl-C meanwhile gets a database that was stopped in good order.
  const stopRequested = world.stopRequested();
  const log = createLog(settings.SKEP_LOG_LEVEL);
  const server = await launch(settings, { clock: world.clock, log, startCompanion });
  let signal: StopSignal;
  try {
    announce(world, server, options.json === true);
    void stopRequested.then(() => server.drain());
    signal = await untilAsked(world, { companion: server.companion, stopRequested, json: options.json === true });
  } finally {
    await server.stop();
  }
  if (options.json === true) world.out.write(`${JSON.stringify({ event: 'stopped' })}\n`);
  if (signal === 'SIGINT') throw new Interrupted();
}

interface Running {
  readonly companion: Companion | undefined;
  readonly stopRequested: Promise<StopSignal>;
  readonly json: boolean;
}

async function untilAsked(world: World, { companion, stopRequested, json }: Running): Promise<StopSignal> {
  if (companion === undefined) return stopRequested;
  try {
    const signal = await Promise.race([stopRequested, companion.ended.then(() => stopRequested)]);
    void world.stopRequested().then(() => companion.stop(0));
    if (json) world.out.write(`${JSON.stringify({ event: 'stopping' })}\n`);
    else world.err.write('Stopping when what runs has ended. Ctrl-C again hands it back and stops now.\n');
    await companion.stop(graceMs[signal]);
    return signal;
  } finally {
    await companion.stop(0);
  }
}

function announce({ out }: World, { url, adminToken, database, companion }: Launched, json: boolean): void {
  if (json) {
    const token = adminToken === undefined ? {} : { admin_token: adminToken };
    out.write(`${JSON.stringify({ event: 'ready', url, database, ...token })}\n`);
    return;
  }
  const lines = [`Skep is ready at ${url}`, `  database  ${database.kind} (PostgreSQL ${database.version})`];
  if (companion !== undefined) lines.push(`  worker    ${companion.description}`);
  if (adminToken !== undefined) {
    lines.push('', 'The admin token is shown this once. Keep it, and type next:', `  export SKEP_TOKEN=${adminToken}`);
  }
  out.write(`${lines.join('\n')}\n`);
}
