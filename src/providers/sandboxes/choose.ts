import { join } from 'node:path';
import type { Clock } from '../../kernel/clock.ts';
import { Fault } from '../../kernel/fault.ts';
import type { Log } from '../../kernel/log.ts';
import type { SandboxProvider } from '../../worker/sandbox.ts';
import { createLocalSandboxes } from './local/index.ts';
import { createOciSandboxes } from './oci/index.ts';
import { createProcessSandboxes } from './process/index.ts';

interface Means {
  /** Under which each provider has a folder of its own: what one has left another does not know to open. */
  readonly home: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** By what SKEP_SANDBOX says: the strongest that asks for nothing comes first. */
const providers: Readonly<Record<string, (means: Means) => SandboxProvider>> = {
  local: means => createLocalSandboxes(placed(means, 'sandboxes')),
  oci: means => createOciSandboxes({ ...placed(means, 'containers'), engine: 'podman' }),
  'oci:runsc': means => createOciSandboxes({ ...placed(means, 'containers'), engine: 'podman', runtime: 'runsc' }),
  'oci:docker': means => createOciSandboxes({ ...placed(means, 'containers'), engine: 'docker' }),
  process: means => createProcessSandboxes(placed(means, 'processes')),
};

export const sandboxNames: readonly string[] = Object.keys(providers);

/** Throws Fault `invalid_config` for a name that is none. */
export function chooseSandboxes(name: string, means: Means): SandboxProvider {
  const create = Object.hasOwn(providers, name) ? providers[name] : undefined;
  if (create !== undefined) return create(means);
  throw new Fault('invalid_config', {
    message: `SKEP_SANDBOX: there are no sandboxes "${name.slice(0, 100)}"`,
    hint: `give one of ${sandboxNames.join(', ')}`,
  });
}

function placed({ home, clock, log }: Means, folder: string): { folder: string; clock: Clock; log: Log } {
  return { folder: join(home, folder), clock, log };
}
