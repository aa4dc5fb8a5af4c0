import type { Claimed } from '../../../contract/runs.ts';
import type { Client } from '../../client/index.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { Log } from '../../kernel/log.ts';
import { createHost } from '../host/index.ts';
import type { Host } from '../host/index.ts';
import { gatewayPath, gatewayUrl } from '../host/job.ts';
import type { SandboxLink, SandboxSpec } from '../sandbox.ts';
import { createRelay } from './relay.ts';

/** The way from one sandbox to the server's gateway, and from the worker to the program that uses it. */
export interface Gateway {
  /** What the sandbox must be made with. */
  readonly folders: SandboxSpec['folders'];
  readonly links: readonly SandboxLink[];
  /** What the program must know. The run token is worth something only at the gateway, and only while the lease lives. */
  readonly env: Readonly<Record<string, string>>;
  /** Runs a program with the gateway at SKEP_GATEWAY_URL, as `exec` of the sandbox. */
  readonly run: Host['run'];
  /** Whether a call of the program is being answered. */
  readonly isCalling: () => boolean;
  /** Breaks off all calls. */
  close(): void;
}

interface Parts {
  readonly client: Pick<Client, 'access'>;
  readonly clock: Clock;
  readonly log: Log;
}

/** To be closed when the run ends. */
export async function openGateway({ gateway }: Pick<Claimed, 'gateway'>, { client, clock, log }: Parts): Promise<Gateway> {
  const { server } = await client.access();
  const host = await createHost(clock);
  const relay = createRelay({ server, log });
  return {
    folders: host.folders,
    links: [host.link, { path: gatewayPath, onConnection: connection => relay.accept(connection) }],
    env: { SKEP_GATEWAY_URL: gatewayUrl, SKEP_RUN_TOKEN: gateway.token },
    run: host.run,
    isCalling: relay.isBusy,
    close: () => relay.close(),
  };
}
