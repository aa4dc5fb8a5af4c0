import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import type { Client } from '../../client/index.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { Log } from '../../kernel/log.ts';
import { keyNamed } from '../../config.ts';
import type { Settings } from '../../config.ts';
import { createCodexAgent } from '../../providers/agents/codex/index.ts';
import { createExecAgent } from '../../providers/agents/exec.ts';
import { createInstalls } from '../../providers/agents/install/installs.ts';
import { createPiAgent } from '../../providers/agents/pi/index.ts';
import { chooseSandboxes } from '../../providers/sandboxes/choose.ts';
import { readCredentials } from '../../worker/index.ts';
import type { WorkerOptions } from '../../worker/index.ts';
import { version } from '../command.ts';

type Places = Pick<Settings, 'SKEP_HOME' | 'SKEP_AGENTS'>;
type Machine = Places & Pick<Settings, 'SKEP_SANDBOX'>;

interface Given {
  readonly client: Client;
  readonly settings: Machine;
  readonly name?: string | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

/** What a worker of this machine is made of. Throws Fault `invalid_config` where its file of credentials is wrong. */
export function workerParts({
  client,
  settings,
  name = `${hostname()}-${process.pid}`,
  clock,
  log,
}: Given): Omit<WorkerOptions, 'slots'> {
  const { SKEP_HOME: home } = settings;
  const installs = createInstalls(agentsFolder(settings));
  return {
    client,
    name,
    sandboxes: chooseSandboxes(settings.SKEP_SANDBOX, { home, clock, log }),
    agents: [createExecAgent(), createCodexAgent(installs), createPiAgent(installs)],
    folder: join(home, 'worker'),
    network: {
      credentials: readCredentials({ file: join(home, 'credentials.json'), variable: keyNamed }),
      ownPorts: () => databasePort(home),
    },
    random: () => randomInt(0, 2 ** 32) / 2 ** 32,
    version: version(),
    clock,
    log,
  };
}

/** Where coding agents are installed. */
export function agentsFolder({ SKEP_HOME, SKEP_AGENTS }: Places): string {
  return SKEP_AGENTS === undefined ? join(SKEP_HOME, 'agents') : resolve(SKEP_AGENTS);
}

/** Where the embedded database of this home listens, or did last. */
function databasePort(home: string): readonly number[] {
  try {
    return [Number(readFileSync(join(home, 'postgres/port'), 'utf8'))];
  } catch {
    return [];
  }
}
