import { networkInterfaces } from 'node:os';
import type { Clock } from '../../kernel/clock.ts';
import { whoListens } from '../../kernel/processes/port.ts';
import type { PortOwner } from '../../kernel/processes/port.ts';
import { reachOf } from './names/addresses.ts';
import type { IsGuarded, Lookup } from './reach.ts';

interface Parts {
  /** Of the server that the worker works for. */
  readonly server: string;
  readonly lookup: Lookup;
  /** Ports of this machine that are Skep's own beside it, such as its database's; asked each time. */
  readonly ownPorts: () => readonly number[];
  readonly clock: Clock;
  readonly owner?: (port: number) => PortOwner | undefined;
}

/** Whatever a rule says, nobody comes from a sandbox to Skep's server but by the gateway, and nobody to its database. */
export async function createGuard({ server, lookup, ownPorts, clock, owner = whoListens }: Parts): Promise<IsGuarded> {
  const { hostname, port: named, protocol } = new URL(server);
  const serverPort = named === '' ? (protocol === 'https:' ? 443 : 80) : Number(named);
  const addresses = new Set(await lookup(hostname.replace(/^\[|\]$/g, '')).catch(() => []));
  const isHere = [...addresses].some(isOfThisMachine);
  const isOwnProgram = rememberedOwners(owner, clock);
  return ({ address, port }) => {
    if (port === serverPort && addresses.has(address)) return true;
    if (!isOfThisMachine(address)) return false;
    if ((port === serverPort && isHere) || ownPorts().includes(port)) return true;
    return isOwnProgram(port);
  };
}

/** All processes are looked through for it, which a sandbox must not make this one do with each connection. */
function rememberedOwners(owner: (port: number) => PortOwner | undefined, clock: Clock): (port: number) => boolean {
  const seen = new Map<number, { readonly isOwn: boolean; readonly untilMs: number }>();
  return port => {
    const last = seen.get(port);
    if (last !== undefined && clock.mono() < last.untilMs) return last.isOwn;
    const isOwn = ownPrograms.test(owner(port)?.command ?? '');
    seen.set(port, { isOwn, untilMs: clock.mono() + rememberMs });
    return isOwn;
  };
}

const rememberMs = 10_000;

/** Another Skep on this machine, or its database, which nobody speaks with by HTTP. */
const ownPrograms = /(?:^|[/ ])(?:skep|postgres|postmaster)$/;

/** Also one of the internet: what listens there may trust who comes from here. */
export function isOfThisMachine(address: string): boolean {
  if (reachOf(address) === 'private' && (address.startsWith('127.') || address === '::1')) return true;
  return Object.values(networkInterfaces()).some(all => all?.some(each => each.address === address) === true);
}
