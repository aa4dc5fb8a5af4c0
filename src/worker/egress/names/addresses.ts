import { BlockList, isIP, isIPv6 } from 'node:net';

/**
 * `private`: of a private network or of this machine; `near`: of the same link, such as the metadata of a cloud, which gives keys away;
 * `never`: nothing that a connection can be made to, or another way of writing an address that is judged otherwise.
 */
export type Reach = 'public' | 'private' | 'near' | 'never';

/** What IANA's registries of special addresses say is no host of the internet. */
const ranges: Readonly<Record<Exclude<Reach, 'public'>, readonly string[]>> = {
  private: ['127.0.0.0/8', '10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', '::1/128', 'fc00::/7'],
  near: ['169.254.0.0/16', 'fe80::/10'],
  never: [
    ...['0.0.0.0/8', '192.0.0.0/24', '192.0.2.0/24', '192.88.99.0/24', '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24'],
    ...['224.0.0.0/4', '240.0.0.0/4'],
    ...['::/128', '::/96', '::ffff:0:0/96', '::ffff:0:0:0/96', '64:ff9b:1::/48', '100::/64', '2001::/32', '2001:db8::/32'],
    ...['2002::/16', '3fff::/20', '5f00::/16', 'fec0::/10', 'ff00::/8'],
  ],
};

const lists = Object.entries(ranges).map(([reach, subnets]) => {
  const list = { ipv4: new BlockList(), ipv6: new BlockList() };
  for (const subnet of subnets) {
    const [net = '', bits = ''] = subnet.split('/');
    const family = isIPv6(net) ? 'ipv6' : 'ipv4';
    list[family].addSubnet(net, Number(bits), family);
  }
  return { reach: reach as Exclude<Reach, 'public'>, list };
});

export function reachOf(address: string): Reach {
  const family = isIP(address);
  if (family === 0 || address.includes('%')) return 'never';
  const kind = family === 6 ? 'ipv6' : 'ipv4';
  const translated = family === 6 ? translatedOf(address) : undefined;
  if (translated !== undefined) return reachOf(translated);
  return lists.find(({ list }) => list[kind].check(address, kind))?.reach ?? 'public';
}

const nat64 = new BlockList();
nat64.addSubnet('64:ff9b::', 96, 'ipv6');

/** In a network without IPv4 the names of its hosts lead to addresses that hold theirs (RFC 6052). */
function translatedOf(address: string): string | undefined {
  if (!nat64.check(address, 'ipv6')) return undefined;
  const groups = new URL(`http://[${address}]/`).hostname.slice(1, -1).split('::').at(-1)?.split(':') ?? [];
  const [high = 0, low = 0] = ['0', '0', ...groups].slice(-2).map(group => Number.parseInt(group || '0', 16));
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}
