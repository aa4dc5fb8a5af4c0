import { lookup } from 'node:dns/promises';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import type { NetworkRule } from '../../../contract/network/rules.ts';
import type { RefusalReason } from '../../../contract/network/refusals.ts';
import type { Clock } from '../../kernel/clock.ts';
import { reachOf } from './names/addresses.ts';
import { addressOf } from './names/target.ts';
import type { Target } from './names/target.ts';

/** `failed`: nobody forbids it, but it is not there. */
export type Reached =
  | { readonly kind: 'open'; readonly socket: Socket }
  | { readonly kind: 'refused'; readonly reason: RefusalReason }
  | { readonly kind: 'failed'; readonly message: string };

/** Every address that a name stands for now. */
export type Lookup = (host: string) => Promise<readonly string[]>;

/** What must not be reached by any rule: Skep's own server and database. */
export type IsGuarded = (place: { readonly address: string; readonly port: number }) => boolean;

interface Parts {
  readonly clock: Clock;
  readonly lookup: Lookup;
  readonly isGuarded: IsGuarded;
  /** Whether the address is one of this machine's own. */
  readonly isOwn: (address: string) => boolean;
}

const lookupMsMax = 10_000;
const connectMsMax = 10_000;
/** Of one name. */
const addressesMax = 16;
const triesMax = 4;

/** By the host's own resolver, IPv4 first. */
export const systemLookup: Lookup = async host =>
  (await lookup(host, { all: true, order: 'ipv4first' })).map(({ address }) => address);

/**
 * Looks a name up once and connects to what was looked at, so that a name which leads elsewhere a moment later leads nowhere. One address
 * that is not allowed spoils the name.
 */
export async function reach({ target, rule }: { target: Target; rule: NetworkRule }, parts: Parts): Promise<Reached> {
  const found = await addressesOf(target, parts);
  if (found.length === 0) return { kind: 'failed', message: `${target.host} has no address` };
  const { port } = target;
  if (found.some(address => !isOpenTo(address, { rule, target, isOwn: parts.isOwn })))
    return { kind: 'refused', reason: 'address' };
  if (found.some(address => parts.isGuarded({ address, port }))) return { kind: 'refused', reason: 'guarded' };
  let message = '';
  for (const address of found.slice(0, triesMax)) {
    try {
      return { kind: 'open', socket: await connectTo({ address, port }) };
    } catch (error) {
      message = `${target.host}:${port} does not answer (${codeOf(error)})`;
    }
  }
  return { kind: 'failed', message };
}

async function addressesOf(target: Target, { clock, lookup }: Parts): Promise<readonly string[]> {
  if (target.isAddress) return [addressOf(target)];
  const over = new AbortController();
  // The system's resolver knows no end of its own that could be told to it.
  const late = clock.sleep(lookupMsMax, over.signal).then(() => []);
  const found = lookup(target.host).catch(() => []);
  const addresses = await Promise.race([found, late]);
  over.abort();
  return addresses.slice(0, addressesMax);
}

interface Allowed extends Pick<Parts, 'isOwn'> {
  readonly rule: NetworkRule;
  readonly target: Target;
}

function isOpenTo(address: string, { rule, target, isOwn }: Allowed): boolean {
  const reach = reachOf(address);
  if (reach === 'public' && !isOwn(address)) return true;
  if (rule.private !== true) return false;
  // Of what a whole link can be asked, keys of the machine among it, a rule must say the very address.
  return reach === 'public' || reach === 'private' || (reach === 'near' && target.isAddress);
}

function connectTo({ address, port }: { address: string; port: number }): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address, port, allowHalfOpen: true, noDelay: true });
    const onTimeout = (): void => void socket.destroy(Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' }));
    socket.setTimeout(connectMsMax, onTimeout);
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.removeListener('error', reject);
      socket.removeListener('timeout', onTimeout);
      socket.setTimeout(0);
      resolve(socket);
    });
  });
}

/** The code alone: what an error says may hold what was sent. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'connection broken off';
}
