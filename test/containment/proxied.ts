import type { RequestListener } from 'node:http';
import { refusalWords } from '../../contract/network/refusals.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { createGuard } from '../../src/worker/egress/guard.ts';
import { egressPath } from '../../src/worker/host/job.ts';
import { certificateFor, startEgress, startHost } from '../harness/egress.ts';
import type { BridgedLink } from '../harness/sandbox-worker.ts';
import { proxiedAddresses, proxiedRules } from '../samples/proxied.ts';
import { askings } from './table/proxy.ts';

/** The network of one sandbox: its own proxy, and the hosts that it leads to. */
export interface Proxied {
  readonly link: BridgedLink;
  /** What the hostile program is told. */
  readonly facts: Readonly<Record<string, unknown>>;
  /** What was asked of the hosts, that the program may not ask. */
  strange(): readonly string[];
  /** Why something was refused, by the proxy's own account. */
  reasons(): readonly string[];
  close(): void;
}

interface Skep {
  /** Where its server and its database would be. */
  readonly serverPort: number;
  readonly databasePort: number;
  /** What the worker adds for a host: a canary. */
  readonly key: string;
}

const certificate = certificateFor('allowed.test', '*.wide.test', 'keyed.test');

/** To allow Skep's own ports and to give a key away is what a person may do by mistake. */
export async function startProxied({ serverPort, databasePort, key }: Skep): Promise<Proxied> {
  const plain = await startHost((request, response) => {
    if (request.url === '/moved') response.writeHead(302, { location: 'http://evil.test/' });
    const isStrange = plain.seen.some(seen => seen.includes('/inner'));
    request
      .resume()
      .once('end', () => response.end(request.url === '/heard' ? (isStrange ? 'the inner one' : 'nothing else') : 'ok'));
  });
  const echoing: RequestListener = (request, response) => response.end(request.headers.authorization);
  const secure = await startHost(echoing, certificate);
  const own = { port: secure.port, private: true, credential: 'npm' };
  let turns = 0;
  const egress = await startEgress({
    rules: [
      { host: 'turning.test', port: plain.port, private: true },
      ...[serverPort, databasePort].map(port => ({ host: '127.0.0.1', port, private: true })),
      ...['keyed.test', 'other.test'].map(host => ({ host, ...own })),
      ...[plain, secure].flatMap(({ port }) => proxiedRules(port)),
    ],
    credentials: new Map([['npm', { hosts: ['keyed.test'], header: 'authorization', value: `Bearer ${key}` }]]),
    authorities: [certificate.cert],
    lookup: async name => {
      if (name === 'turning.test') return turns++ === 0 ? ['127.0.0.1'] : ['169.254.169.254'];
      return name === 'keyed.test' ? ['127.0.0.1'] : (proxiedAddresses[name] ?? []);
    },
    isGuarded: await createGuard({
      server: `http://skep.test:${serverPort}`,
      lookup: async () => ['127.0.0.1'],
      ownPorts: () => [databasePort],
      clock: systemClock,
    }),
  });
  const ports: Readonly<Record<string, number>> = {
    PORT: plain.port,
    SECURE: secure.port,
    SERVER: serverPort,
    DATABASE: databasePort,
  };
  const put = (text: string): string => text.replace(/PORT|SECURE|SERVER|DATABASE/g, name => String(ports[name]));
  return {
    link: { path: egressPath, port: egress.port, onConnection: () => {} },
    facts: { askings: askings.map(asking => ({ ...asking, requests: asking.requests.map(put) })), refusals: refusalWords },
    strange: () => [...plain.seen, ...secure.seen].filter(seen => !known.test(seen)),
    reasons: () => egress.refused.map(({ reason }) => reason),
    close() {
      egress.close();
      for (const host of [plain, secure]) host.close();
    },
  };
}

/** Of a body that is framed twice the request around it may come through, and nothing of what is in it. */
const known = /^(?:POST \/a|GET \/(?:heard|moved|within)?) (?:allowed|turning|keyed)\.test(?::\d+)?$/;
