import type { RefusalReason } from '../../contract/network/refusals.ts';
import type { NetworkRule } from '../../contract/network/rules.ts';

/**
 * What a program in a sandbox can ask of its proxy to reach what no rule allows. `PORT` stands for the port of the host that the rules
 * allow. The tests of the proxy ask it from the host, those of containment from within.
 */

/** `none`: the connection ends without an answer, or with 400. */
export type Refused = RefusalReason | 'none';

export function proxiedRules(port: number): readonly NetworkRule[] {
  return [
    { host: 'allowed.test', port, private: true },
    { host: '*.wide.test', port, private: true },
    { host: 'narrow.test', port, private: true, methods: ['GET', 'HEAD'] },
    { host: '127.0.0.1', port, private: true },
    { host: '169.254.169.254', port },
    ...['inward.test', 'mixed.test'].map(name => ({ host: name, port })),
    ...['metadata.test', 'mapped.test', 'nowhere.test'].map(name => ({ host: name, port, private: true })),
  ];
}

/** Where the names lead. */
export const proxiedAddresses: Readonly<Record<string, readonly string[]>> = {
  'allowed.test': ['127.0.0.1'],
  'below.wide.test': ['127.0.0.1'],
  'narrow.test': ['127.0.0.1'],
  'inward.test': ['127.0.0.1'],
  'mixed.test': ['93.184.215.14', '127.0.0.1'],
  'metadata.test': ['169.254.169.254'],
  'mapped.test': ['::ffff:127.0.0.1'],
  'nowhere.test': [],
};

/** Of plain http: the target, why it is refused, and what Host says where it is not the same. */
export const plainRefusals: readonly (readonly [target: string, reason: Refused, said?: string])[] = [
  // No rule.
  ['http://evil.test:PORT/', 'host'],
  ['http://allowed.test.evil.test:PORT/', 'host'],
  ['http://notallowed.test:PORT/', 'host'],
  ['http://wide.test:PORT/', 'host'],
  ['http://notwide.test:PORT/', 'host'],
  ['http://a.wide.test.evil.test:PORT/', 'host'],
  ['http://127.0.0.2:PORT/', 'host'],
  ['http://[::1]:PORT/', 'host'],
  ['http://[::ffff:127.0.0.1]:PORT/', 'host'],
  ['http://allowed.test/', 'port'],
  // Another host to who reads it otherwise.
  ['http://allowed.test@evil.test:PORT/', 'malformed'],
  ['http://evil.test\\@allowed.test:PORT/', 'none'],
  ['http://allowed.test:x@evil.test:PORT/', 'malformed'],
  ['http://allowed%2etest:PORT/', 'malformed'],
  ['http://allowed.test:PORT%40evil.test/', 'malformed'],
  ['http://allowed.test:PORT\\evil.test/', 'none'],
  ['http://allowed..test:PORT/', 'malformed'],
  ['http://.allowed.test:PORT/', 'malformed'],
  ['http://.wide.test:PORT/', 'malformed'],
  ['http://allowed.test..:PORT/', 'malformed'],
  ['http://xn--a.wide.test:PORT/', 'malformed'],
  ['http://:PORT/', 'malformed'],
  ['http:///allowed.test:PORT/', 'malformed'],
  ['http:allowed.test:PORT/', 'none'],
  ['https://allowed.test:PORT/', 'malformed'],
  ['ftp://allowed.test:PORT/', 'malformed'],
  ['/', 'malformed'],
  ['//allowed.test:PORT/', 'malformed'],
  ['*', 'malformed'],
  ['http://allowed.test:PORT/#x', 'malformed'],
  // 127.0.0.1 in all notations but its own.
  ...['2130706433', '0x7f000001', '017700000001', '127.1', '127.0.1', '0177.0.0.1', '0x7f.0.0.1', '127.0.0.1.'].map(
    address => [`http://${address}:PORT/`, 'malformed'] as const,
  ),
  // What the header says.
  ['http://allowed.test:PORT/', 'host_header', 'evil.test'],
  ['http://allowed.test:PORT/', 'host_header', 'allowed.test'],
  ['http://allowed.test:PORT/', 'host_header', 'evil.test:PORT'],
  ['http://allowed.test:PORT/', 'host_header', 'allowed.test:PORT\r\nHost: evil.test'],
  ['http://allowed.test:PORT/', 'host_header', 'allowed.test:PORT, evil.test'],
  ['http://allowed.test:PORT/', 'host_header', ''],
  ['http://evil.test:PORT/', 'host_header', 'allowed.test:PORT'],
  // Where the name leads.
  ['http://inward.test:PORT/', 'address'],
  ['http://mixed.test:PORT/', 'address'],
  ['http://metadata.test:PORT/', 'address'],
  ['http://mapped.test:PORT/', 'address'],
  ['http://169.254.169.254:PORT/', 'address'],
  // What nothing is read from any more.
  ['http://evil.test\0.allowed.test:PORT/', 'none'],
  ['http://allowed.test:PORT/\0', 'none'],
];

/** Of CONNECT: whom it names, what Host says, and why it is refused. */
export const tunnelRefusals: readonly (readonly [authority: string, said: string, reason: RefusalReason])[] = [
  ['evil.test:443', 'evil.test:443', 'host'],
  ['allowed.test.evil.test:PORT', 'allowed.test.evil.test:PORT', 'host'],
  ['wide.test:PORT', 'wide.test:PORT', 'host'],
  ['allowed.test:443', 'allowed.test:443', 'port'],
  ['allowed.test:22', 'allowed.test:22', 'port'],
  ['narrow.test:PORT', 'narrow.test:PORT', 'encrypted'],
  ['inward.test:PORT', 'inward.test:PORT', 'address'],
  ['metadata.test:PORT', 'metadata.test:PORT', 'address'],
  ['allowed.test', 'allowed.test', 'malformed'],
  ['http://allowed.test:PORT/', 'allowed.test:PORT', 'malformed'],
  ['allowed.test:PORT/', 'allowed.test:PORT', 'malformed'],
  ['x@allowed.test:PORT', 'allowed.test:PORT', 'malformed'],
  ['allowed%2etest:PORT', 'allowed.test:PORT', 'malformed'],
  ['2130706433:PORT', '2130706433:PORT', 'malformed'],
  ['[::ffff:127.0.0.1]:PORT', '[::ffff:127.0.0.1]:PORT', 'host'],
  ['allowed.test:PORT', 'evil.test:PORT', 'host_header'],
  ['allowed.test:PORT', 'allowed.test:1', 'host_header'],
  ['allowed.test:PORT', 'allowed.test:PORT\r\nHost: evil.test', 'host_header'],
  ['evil.test:443', 'allowed.test:443', 'host_header'],
];

/** Of a tunnel: whom CONNECT names, and whom the handshake within. */
export const wrongServerNames: readonly (readonly [authority: string, name: string | undefined])[] = [
  ['allowed.test:PORT', 'evil.test'],
  ['allowed.test:PORT', 'below.wide.test'],
  ['allowed.test:PORT', 'a.allowed.test'],
  ['allowed.test:PORT', undefined],
  ['below.wide.test:PORT', 'other.wide.test'],
  ['127.0.0.1:PORT', 'allowed.test'],
];

/** What is no beginning of TLS. */
export const notEncrypted: readonly (readonly [what: string, bytes: string])[] = [
  ['plain http', 'GET / HTTP/1.1\r\nHost: allowed.test\r\n\r\n'],
  ['HTTP/2 without TLS', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['ssh', 'SSH-2.0-OpenSSH_9\r\n'],
  ['another CONNECT', 'CONNECT evil.test:443 HTTP/1.1\r\n\r\n'],
];

/** Headers by which the end of a body is one to who reads it and another to who reads it next. */
export const doubleFramings: readonly (readonly [how: string, headers: string])[] = [
  ['two lengths', 'Content-Length: 5\r\nContent-Length: 60\r\n'],
  ['a length and chunks', 'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n'],
  ['chunks that are none', 'Transfer-Encoding: chunked, identity\r\n'],
  ['a coding that is hidden', 'Transfer-Encoding: xchunked\r\n'],
  ['chunks twice', 'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n'],
  ['another coding', 'Transfer-Encoding: gzip, chunked\r\n'],
  ['a length that is a sum', 'Content-Length: +5\r\n'],
  ['a folded header', 'X: y\r\n Transfer-Encoding: chunked\r\n'],
  ['a space before the colon', 'Transfer-Encoding : chunked\r\n'],
  ['a bare line feed', 'X: y\nTransfer-Encoding: chunked\r\n'],
];

/** A request that stands in such a body. */
export function framedTwice(headers: string, port: string | number): string {
  const host = `Host: allowed.test:${port}\r\n`;
  const inner = `0\r\n\r\nGET /inner HTTP/1.1\r\n${host}Connection: close\r\n\r\n`;
  return `POST http://allowed.test:${port}/a HTTP/1.1\r\n${host}${headers}\r\n${inner}`;
}

/** What Host says where it says the same as the target. */
export function hostSaidIn(target: string): string {
  return /^\w+:\/+([^/?#]*)/.exec(target)?.[1] ?? 'x';
}
