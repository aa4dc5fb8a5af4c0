import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import type { Client } from '../../client/index.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { Log } from '../../kernel/log.ts';
import { keyNamed } from '../../config.ts';
import type { Settings } from '../../config.ts';
import { createAcpAgent, createOtherAcpAgent } from '../../providers/agents/acp/index.ts';
import { acpKinds } from '../../providers/agents/acp/agents.ts';
import { createClaudeAgent } from '../../providers/agents/claude/index.ts';
import { createCodexAgent } from '../../providers/agents/codex/index.ts';
import { createExecAgent } from '../../providers/agents/exec.ts';
import { createInstalls } from '../../providers/agents/install/installs.ts';
import type { Installs } from '../../providers/agents/install/installs.ts';
import { createHttpAgent } from '../../providers/agents/http.ts';
import { createModelAgent } from '../../providers/agents/model.ts';
import { createPiAgent } from '../../providers/agents/pi/index.ts';
import { chooseSandboxes } from '../../providers/sandboxes/choose.ts';
import { readCredentials } from '../../worker/index.ts';
import type { WorkerOptions } from '../../worker/index.ts';
import { version } from '../command.ts';

type Places = Pick<Settings, 'SKEP_HOME' | 'SKEP_AGENTS'>;
type Kept = Pick<Settings, 'SKEP_SETUP_TIMEOUT_MS' | 'SKEP_DEPENDENCIES_MAX' | 'SKEP_DEPENDENCIES_BYTES_MAX'>;
type Machine = Places & Kept & Pick<Settings, 'SKEP_SANDBOX' | 'SKEP_SANDBOX_WARM' | 'SKEP_WORKER_SLOTS'>;

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
    agents: agentsOf(installs),
    folder: join(home, 'worker'),
    network: {
      credentials: readCredentials({ file: join(home, 'credentials.json'), variable: keyNamed }),
      ownPorts: () => databasePort(home),
    },
    dependencies: {
      timeoutMs: settings.SKEP_SETUP_TIMEOUT_MS,
      layersMax: settings.SKEP_DEPENDENCIES_MAX,
      layerBytesMax: settings.SKEP_DEPENDENCIES_BYTES_MAX,
    },
    warm: settings.SKEP_SANDBOX_WARM ?? settings.SKEP_WORKER_SLOTS,
    random: () => randomInt(0, 2 ** 32) / 2 ** 32,
    version: version(),
    clock,
    log,
  };
}

/** All that a project may name. */
function agentsOf(installs: Installs): WorkerOptions['agents'] {
  const own = [createClaudeAgent(installs), createCodexAgent(installs), createPiAgent(installs)];
  const any = [createExecAgent(), createOtherAcpAgent(installs), createModelAgent(), createHttpAgent()];
  return [...any, ...own, ...acpKinds.map(kind => createAcpAgent(kind, installs))];
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
