import { readFileSync } from 'node:fs';
import { createClient } from '../../client/index.ts';
import type { Client } from '../../client/index.ts';
import { readSettings } from '../../config.ts';
import type { Settings } from '../../config.ts';
import { systemClock } from '../../kernel/clock.ts';
import { armFailpoints } from '../../kernel/failpoint.ts';
import { Fault } from '../../kernel/fault.ts';

export interface ConnectionOptions {
  readonly server?: string;
  readonly token?: string;
  readonly tokenFile?: string;
  readonly slots?: string;
  readonly home?: string;
}

/** Flags go before the environment. Throws Fault `invalid_config`, `unauthenticated` where no token is given. */
export function connected(options: ConnectionOptions): { settings: Settings; client: Client } {
  const settings = readSettings({
    SKEP_SERVER: options.server,
    SKEP_TOKEN: options.token ?? tokenOf(options.tokenFile),
    SKEP_WORKER_SLOTS: options.slots,
    SKEP_HOME: options.home,
  });
  armFailpoints(settings.SKEP_FAILPOINTS);
  if (settings.SKEP_TOKEN === undefined) {
    throw new Fault('unauthenticated', {
      message: 'A worker needs a token',
      hint: "Put one in a file and give --token-file, or set SKEP_TOKEN; 'skep token create --role worker NAME' makes one",
    });
  }
  return { settings, client: createClient({ server: settings.SKEP_SERVER, token: settings.SKEP_TOKEN, clock: systemClock }) };
}

function tokenOf(path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (cause) {
    throw new Fault('invalid_config', { message: `The token file ${path} cannot be read`, cause });
  }
}
