import { z } from 'zod';

/**
 * Why something was not reached. `host`, `port`, `method`: no rule allows it; `encrypted`: the rule is for plain http alone; `address`: the
 * name leads into a private network; `guarded`: it leads to Skep itself; `malformed`: it is no name of a host that can be judged;
 * `host_header`, `server_name`: another host is asked for within; `not_tls`: what came after CONNECT is not encrypted; `upgrade`: a
 * WebSocket in the plain; `credential`: the worker has none of that name for the host; `bytes`: the run has moved all that it may; `more`:
 * what else there was when too many had been told of.
 */
const refusalReasons = [
  'host',
  'port',
  'method',
  'encrypted',
  'address',
  'guarded',
  'malformed',
  'host_header',
  'server_name',
  'not_tls',
  'upgrade',
  'credential',
  'bytes',
  'more',
] as const;

/** The report by which a run says that something was not reached. */
export const networkRefused = 'network.refused';

export const networkRefusal = z
  .object({
    host: z.string().max(300).meta({ description: 'As it was asked for' }),
    port: z.number().int().nullable(),
    method: z.string().max(30).nullable().meta({ description: 'CONNECT of what is encrypted' }),
    reason: z.enum(refusalReasons),
    count: z.number().int().meta({ description: 'How often until now' }),
  })
  .meta({ id: 'NetworkRefusal' });

/** Different ones that a run tells of. */
export const refusalsMax = 50;

export type RefusalReason = (typeof refusalReasons)[number];
export type NetworkRefusal = z.infer<typeof networkRefusal>;

/** The end of each sentence. */
export const refusalWords: Readonly<Record<RefusalReason, string>> = {
  host: 'no rule of the project names it',
  port: 'the rule of the project is for another port',
  method: 'the rule of the project does not name this method',
  encrypted: 'the rule of the project is for plain http:// alone: it names methods or a credential',
  address: 'it leads into a private network or to this machine, and the rule does not allow that',
  guarded: 'it leads to Skep itself, which no rule allows',
  malformed: 'a request must name a plain host: http://host/… , or CONNECT host:port for https',
  host_header: 'the header Host names another host',
  server_name: 'the TLS handshake names another host, or none',
  not_tls: 'what follows CONNECT is not TLS',
  upgrade: 'a WebSocket must be encrypted: use wss://',
  credential: 'the worker has no such credential for this host',
  bytes: 'the run has moved all that it may over the network',
  more: 'more hosts were asked for than are told of',
};

/** What was refused and why, in a sentence. */
export function refusalText({ host, port, method, reason }: Omit<NetworkRefusal, 'count'>): string {
  const what = method === null || method === 'CONNECT' ? '' : `${method} `;
  return `${what}${host}${port === null ? '' : `:${port}`} was refused: ${refusalWords[reason]}`;
}
