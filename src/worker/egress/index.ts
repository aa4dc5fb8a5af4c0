import { createServer } from 'node:http';
import type { Duplex } from 'node:stream';
import type { NetworkRule } from '../../../contract/network/rules.ts';
import { refusalText } from '../../../contract/network/refusals.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { Log } from '../../kernel/log.ts';
import type { Credentials } from './credentials.ts';
import { isOfThisMachine } from './guard.ts';
import { linkConnectionsMax } from '../sandbox.ts';
import { createMeter } from './meter.ts';
import { judge } from './names/rules.ts';
import { servePlain } from './plain/index.ts';
import { reach, systemLookup } from './reach.ts';
import type { IsGuarded, Lookup } from './reach.ts';
import type { Refusals } from './refusals.ts';
import { serveTunnel } from './tunnel.ts';
import { createTurns } from '../../kernel/turns.ts';
import type { Way } from './way.ts';

/** The network of one sandbox: a proxy for HTTP that reaches what the rules of its project name, and nothing else. */
export interface Egress {
  accept(connection: Duplex): void;
  /** Whether anything has moved since it was asked last: what waits for a host is not stuck. */
  hasMoved(): boolean;
  /** Breaks off what is under way, on both sides. */
  close(): void;
}

/** What it needs of the worker's machine. */
export interface NetworkTools {
  readonly credentials: Credentials;
  /** Ports of this machine that are Skep's own, beside its server's. */
  readonly ownPorts: () => readonly number[];
}

interface EgressOptions {
  readonly rules: readonly NetworkRule[];
  readonly credentials: Credentials;
  readonly refusals: Pick<Refusals, 'add'>;
  readonly isGuarded: IsGuarded;
  readonly clock: Clock;
  readonly log: Log;
  /** Both ways, of the whole run. */
  readonly bytesMax?: number;
  readonly idleMs?: number;
  readonly lookup?: Lookup;
  readonly authorities?: readonly string[];
}

const headBytesMax = 32_768;
/** More than builds fetch, and less than fills a line for a day. */
const runBytesMax = 20 * 2 ** 30;
const idleMsUsual = 120_000;
const helloMsMax = 10_000;
/** The system's resolver has four threads for all that this process asks. */
const lookupsAtOnceMax = 2;

const lookupTurns = createTurns({ atOnceMax: lookupsAtOnceMax, waitingMax: 1_000 });

/** It adds no right of the worker's: who connects is in the sandbox, and what it may reach stands in the rules. */
export function createEgress(options: EgressOptions): Egress {
  const { idleMs = idleMsUsual, log } = options;
  const connections = new Set<Duplex>();
  const way = wayOf(options);
  const failed = (connection: { destroy(): unknown }) => (error: unknown) => {
    log.debug({ error: error instanceof Error ? error.message : 'unknown' }, 'a connection of a sandbox broke off in its proxy');
    connection.destroy();
  };
  // It never listens: the sandbox's link hands the connections in.
  const server = createServer({ maxHeaderSize: headBytesMax, keepAliveTimeout: idleMs }, (message, answer) => {
    servePlain(message, answer, way).catch(failed(answer));
  });
  server.setTimeout(idleMs);
  server.on('connect', (message, client, head) => {
    serveTunnel({ message, client, head }, way, options.clock).catch(failed(client));
  });
  server.on('clientError', (_error, connection) => void connection.destroy());
  let isClosed = false;
  return {
    accept(connection) {
      connections.add(connection);
      connection.once('close', () => connections.delete(connection));
      if (isClosed || way.meter.isUsedUp()) connection.destroy();
      else server.emit('connection', connection);
    },
    hasMoved: way.meter.hasMoved,
    close() {
      isClosed = true;
      for (const connection of connections) connection.destroy();
    },
  };
}

function wayOf(options: EgressOptions): Way {
  const {
    rules,
    credentials,
    refusals,
    isGuarded,
    clock,
    bytesMax = runBytesMax,
    idleMs = idleMsUsual,
    lookup = systemLookup,
  } = options;
  const onUsedUp = (): void => refusals.add({ host: 'any', port: null, method: null, reason: 'bytes' });
  // One at a time: names that nobody answers must not hold what others look up.
  const own = createTurns({ atOnceMax: 1, waitingMax: linkConnectionsMax });
  const inTurn: Lookup = host => own(() => lookupTurns(() => lookup(host)));
  return {
    judge: asked => judge(rules, asked),
    reach: place => reach(place, { clock, lookup: inTurn, isGuarded, isOwn: isOfThisMachine }),
    refuse(refusal) {
      refusals.add(refusal);
      return `Skep: ${refusalText(refusal)}`;
    },
    credentials,
    meter: createMeter(bytesMax, onUsedUp),
    authorities: options.authorities,
    idleMs,
    helloMs: helloMsMax,
  };
}
