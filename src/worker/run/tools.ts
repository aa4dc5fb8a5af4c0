import type { SandboxWorth } from '../../../contract/fleet/sandboxes.ts';
import type { Client } from '../../client/index.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { Log } from '../../kernel/log.ts';
import type { Agent } from '../agent.ts';
import type { Protocol } from '../client.ts';
import type { CheckOuts } from '../dependencies/checkouts.ts';
import type { Dependencies } from '../dependencies/index.ts';
import type { NetworkTools } from '../egress/index.ts';
import type { Repositories } from '../repository/index.ts';
import type { Sandbox, SandboxProvider } from '../sandbox.ts';

/** What every run of a worker works with. */
export interface RunTools {
  readonly protocol: Protocol;
  /** Tells where the server is, whose gateway sandboxes are led to. */
  readonly client: Pick<Client, 'access'>;
  readonly sandboxes: SandboxProvider;
  /** What they are worth here. */
  readonly worth: SandboxWorth;
  readonly agents: readonly Agent[];
  readonly repositories: Repositories;
  /** What setup commands have left. */
  readonly dependencies: Dependencies;
  readonly checkOuts: CheckOuts;
  /** For the files of runs while they last. */
  readonly folder: string;
  /** Without it there are no credentials to add. */
  readonly network?: NetworkTools | undefined;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  /** Who has had a sandbox killed, by its id; undefined where nobody has. */
  readonly killedBy?: (sandboxId: string) => string | undefined;
  readonly onOutput?: ((chunk: Buffer) => void) | undefined;
  /** Called with the workspace of a run whose lease is lost, before it is removed. Never throws. */
  readonly onLost?: ((sandbox: Sandbox) => Promise<void>) | undefined;
}
