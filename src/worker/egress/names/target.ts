import { isIPv6 } from 'node:net';
import { isHostName, isIpv4 } from '../../../../contract/network/host.ts';

/** What a program asks for, in the one form in which it is compared with rules. */
export interface Target {
  /** Small letters without a last dot; an address as URLs have it, of IPv6 in brackets. */
  readonly host: string;
  readonly port: number;
  readonly isAddress: boolean;
}

const textMax = 300;

/**
 * Reads `host` or `host:port`, which must be there where there is no `port`. Undefined for all that is no plain name of a host: who takes
 * away or guesses what does not belong there has another host in mind than who looks it up.
 */
export function parseTarget(text: string, port?: number): Target | undefined {
  const [, named = '', said] = /^([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::([1-9]\d{0,4}))?$/i.exec(text.slice(0, textMax)) ?? [];
  const at = said === undefined ? port : Number(said);
  const host = hostOf(named.toLowerCase());
  if (text.length > textMax || host === undefined || at === undefined || at > 65_535) return undefined;
  return { host, port: at, isAddress: host.startsWith('[') || isIpv4(host) };
}

function hostOf(named: string): string | undefined {
  if (named.startsWith('[')) return isIPv6(named.slice(1, -1)) ? asUrlsHaveIt(named) : undefined;
  if (isIpv4(named)) return named;
  const name = named.endsWith('.') ? named.slice(0, -1) : named;
  // What URLs would change, such as punycode of nothing, is another name for some and none for others.
  return isHostName(name) && asUrlsHaveIt(name) === name ? name : undefined;
}

function asUrlsHaveIt(host: string): string | undefined {
  return URL.canParse(`http://${host}/`) ? new URL(`http://${host}/`).hostname : undefined;
}

/** The address itself, without brackets. */
export function addressOf({ host }: Target): string {
  return host.replace(/^\[|\]$/g, '');
}
