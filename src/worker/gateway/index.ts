import type { Claimed } from '../../../contract/runs.ts';
import type { Client } from '../../client/index.ts';
import type { Log } from '../../kernel/log.ts';
import { gatewayPath, gatewayUrl } from '../host/job.ts';
import type { SandboxLink } from '../sandbox.ts';
import { createRelay } from './relay.ts';

/** The way from one sandbox to the server's gateway. */
export interface Gateway {
  readonly link: SandboxLink;
  /** What the program must know. The run token is worth something only at the gateway, and only while the lease lives. */
  readonly env: Readonly<Record<string, string>>;
  /** Whether a call of the program is being answered. */
  readonly isCalling: () => boolean;
  /** Breaks off all calls. */
  close(): void;
}

interface Parts {
  readonly client: Pick<Client, 'access'>;
  readonly log: Log;
}

/** To be closed when the run ends. */
export async function openGateway({ gateway }: Pick<Claimed, 'gateway'>, { client, log }: Parts): Promise<Gateway> {
  const { server } = await client.access();
  const relay = createRelay({ server, log });
  return {
    link: { path: gatewayPath, onConnection: connection => relay.accept(connection) },
    env: { SKEP_GATEWAY_URL: gatewayUrl, SKEP_RUN_TOKEN: gateway.token },
    isCalling: relay.isBusy,
    close: () => relay.close(),
  };
}
