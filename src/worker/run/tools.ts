import type { Client } from '../../client/index.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { Log } from '../../kernel/log.ts';
import type { Agent } from '../agent.ts';
import type { Protocol } from '../client.ts';
import type { Repositories } from '../repository/index.ts';
import type { Sandbox, SandboxProvider } from '../sandbox.ts';

/** What every run of a worker works with. */
export interface RunTools {
  readonly protocol: Protocol;
  /** Tells where the server is, whose gateway sandboxes are led to. */
  readonly client: Pick<Client, 'access'>;
  readonly sandboxes: SandboxProvider;
  readonly agents: readonly Agent[];
  readonly repositories: Repositories;
  /** For the files of runs while they last. */
  readonly folder: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  readonly onOutput?: ((chunk: Buffer) => void) | undefined;
  /** Called with the workspace of a run whose lease is lost, before it is removed. Never throws. */
  readonly onLost?: ((sandbox: Sandbox) => Promise<void>) | undefined;
}
