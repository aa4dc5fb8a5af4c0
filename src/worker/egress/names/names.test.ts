import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { describe, expect, it } from 'vitest';
import type { NetworkRule } from '../../../../contract/network/rules.ts';
import { reachOf } from './addresses.ts';
import { readHello } from './hello.ts';
import { judge } from './rules.ts';
import { addressOf, parseTarget } from './target.ts';

describe('a target', () => {
  it.each([
    ['example.org', 'example.org:80'],
    ['example.org:8080', 'example.org:8080'],
    ['EXAMPLE.Org', 'example.org:80'],
    ['example.org.', 'example.org:80'],
    ['example.org.:443', 'example.org:443'],
    ['xn--bcher-kva.example', 'xn--bcher-kva.example:80'],
    ['_acme.example.org', '_acme.example.org:80'],
    ['localhost', 'localhost:80'],
    ['127.0.0.1:1', '127.0.0.1:1'],
    ['[::1]:443', '[::1]:443'],
    ['[0:0:0:0:0:0:0:1]', '[::1]:80'],
    ['[::FFFF:127.0.0.1]', '[::ffff:7f00:1]:80'],
  ])('%j is %s', (text, is) => {
    const target = parseTarget(text, 80);
    expect(`${target?.host}:${target?.port}`).toBe(is);
  });

  it.each([
    // Another host to who stops reading earlier, or goes on.
    ...['evil.test\0.allowed.test', 'allowed.test@evil.test', 'user:pass@allowed.test', 'allowed.test#evil.test', 'a/b'],
    ...[
      'allowed.test\\evil.test',
      'allowed.test%2eevil.test',
      '%61llowed.test',
      'allowed.test?x',
      'allowed.test ',
      ' allowed.test',
    ],
    ...['allowed.test\r\nHost: x', 'allowed.test\t', 'allowed.test,evil.test', 'allowed.test;evil'],
    // Empty labels, wrong ones, too long ones.
    ...['', '.', '..', '.allowed.test', 'allowed..test', 'allowed.test..', '-a.test', 'a-.test', `${'a'.repeat(64)}.test`],
    ...[`${'a.'.repeat(127)}test`, '*.allowed.test', 'a'.repeat(400)],
    // Letters that some fold into others, and punycode of nothing.
    ...['allowed。test', 'ａllowed.test', 'bücher.example', 'xn--a', 'xn--999999999.test', 'xn--.test', 'allowed\u00ad.test'],
    // Ports.
    ...[
      'a.test:',
      'a.test:0',
      'a.test:65536',
      'a.test:080',
      'a.test:+80',
      'a.test:8 0',
      'a.test:80:80',
      'a.test:0x50',
      'a.test:-1',
    ],
    // Addresses in all notations but the usual ones.
    ...['2130706433', '0x7f000001', '017700000001', '127.1', '127.0.1', '0177.0.0.1', '0x7f.0.0.1', '127.0.0.01', '0x7f.1'],
    ...['127.0.0.1.', '1.2.3.256', '1.2.3', '1.2.3.4.5', '0x7f.0x0.0x0.0x1', '00.0.0.0', 'a.0x', '127.0.0.0x1', '١٢٧.0.0.1'],
    ...['::1', '[::1', '::1]', '[fe80::1%eth0]', '[::1]x', '[]', '[::g]', '[1:2]', '[127.0.0.1]', '[v1.a]', '[::1%25lo]'],
  ])('%j is none', text => {
    expect(parseTarget(text, 80)).toBeUndefined();
  });

  it('has a port of its own where none goes without saying', () => {
    expect(parseTarget('a.test')).toBeUndefined();
    expect(parseTarget('a.test:443')).toEqual({ host: 'a.test', port: 443, isAddress: false });
    expect(addressOf({ host: '[::1]', port: 1, isAddress: true })).toBe('::1');
  });
});

describe('rules', () => {
  const rules: readonly NetworkRule[] = [
    { host: 'allowed.test' },
    { host: '*.wide.test' },
    { host: 'narrow.wide.test', methods: ['GET', 'HEAD'] },
    { host: 'narrow.wide.test', port: 8443 },
    { host: 'port.test', port: 8080 },
    { host: 'keyed.test', credential: 'npm' },
    { host: '10.0.0.7' },
    { host: '[::1]', port: 7000 },
  ];
  const verdict = (method: string, authority: string): string => {
    const target = parseTarget(authority, method === 'CONNECT' ? 443 : 80);
    if (target === undefined) return 'no target';
    const judgement = judge(rules, { target, method });
    return 'rule' in judgement ? 'yes' : judgement.refused;
  };

  it.each([
    ['GET', 'allowed.test', 'yes'],
    ['GET', 'ALLOWED.test.', 'yes'],
    ['DELETE', 'allowed.test', 'yes'],
    ['TRACE', 'allowed.test', 'method'],
    ['CONNECT', 'allowed.test:443', 'yes'],
    ['CONNECT', 'allowed.test:80', 'port'],
    ['GET', 'allowed.test:443', 'port'],
    ['GET', 'allowed.test.evil.test', 'host'],
    ['GET', 'notallowed.test', 'host'],
    ['GET', 'a.allowed.test', 'host'],
    ['GET', 'test', 'host'],
    ['GET', 'wide.test', 'host'],
    ['GET', 'a.wide.test', 'yes'],
    ['GET', 'a.b.wide.test', 'yes'],
    ['GET', 'awide.test', 'host'],
    ['GET', 'notwide.test', 'host'],
    ['GET', 'wide.test.evil.test', 'host'],
    // The nearest rule decides alone.
    ['GET', 'narrow.wide.test', 'yes'],
    ['POST', 'narrow.wide.test', 'method'],
    ['CONNECT', 'narrow.wide.test', 'encrypted'],
    ['CONNECT', 'narrow.wide.test:8443', 'yes'],
    ['POST', 'narrow.wide.test:8443', 'yes'],
    ['GET', 'port.test:8080', 'yes'],
    ['GET', 'port.test', 'port'],
    ['GET', 'keyed.test', 'yes'],
    ['CONNECT', 'keyed.test', 'encrypted'],
    ['GET', '10.0.0.7', 'yes'],
    ['GET', '10.0.0.8', 'host'],
    ['GET', '167772167', 'no target'],
    ['GET', '[::1]:7000', 'yes'],
    ['GET', '[0:0::1]:7000', 'yes'],
    ['GET', '[::2]:7000', 'host'],
    ['GET', '[::ffff:10.0.0.7]', 'host'],
  ])('%s %s: %s', (method, authority, is) => {
    expect(verdict(method, authority)).toBe(is);
  });

  it('no rule names an address by a pattern', () => {
    expect(judge([{ host: '*.0.0.1' }], { target: { host: '127.0.0.1', port: 80, isAddress: true }, method: 'GET' })).toEqual({
      refused: 'host',
    });
  });
});

describe('an address', () => {
  it.each([
    ...[['93.184.215.14', 'public'] as const, ['2606:4700::1', 'public'] as const, ['172.32.0.1', 'public'] as const],
    ...[
      '127.0.0.1',
      '127.255.255.254',
      '10.1.2.3',
      '172.16.0.1',
      '172.31.255.255',
      '192.168.0.1',
      '100.64.0.1',
      '100.127.255.255',
    ].map(address => [address, 'private'] as const),
    ...['::1', 'fc00::1', 'fdff::1', '64:ff9b::10.0.0.1', '64:ff9b::7f00:1'].map(address => [address, 'private'] as const),
    ...['169.254.169.254', '169.254.0.1', 'fe80::1', 'febf::1', '64:ff9b::a9fe:a9fe'].map(address => [address, 'near'] as const),
    ...['0.0.0.0', '0.1.2.3', '224.0.0.1', '239.255.255.255', '240.0.0.1', '255.255.255.255', '192.0.0.8', '192.0.2.1'].map(
      address => [address, 'never'] as const,
    ),
    ...[
      '::',
      '::127.0.0.1',
      '::ffff:127.0.0.1',
      '::ffff:7f00:1',
      '::ffff:8.8.8.8',
      '2002:7f00:1::',
      '2001::1',
      'ff02::1',
      'fec0::1',
    ].map(address => [address, 'never'] as const),
    ...['64:ff9b::', '64:ff9b:1::1', 'fe80::1%eth0', '127.1', '', 'localhost'].map(address => [address, 'never'] as const),
    ['64:ff9b::5db8:d70e', 'public'],
  ] as const)('%s is %s', (address, is) => {
    expect(reachOf(address)).toBe(is);
  });
});

/** The first bytes of a real handshake. */
async function helloOf(options: { readonly servername?: string }): Promise<Buffer> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [peer] = (await once(server, 'connection')) as [import('node:net').Socket];
  const tls = connectTls({ socket, ...options, rejectUnauthorized: false }).on('error', () => {});
  const [first] = (await once(peer, 'data')) as [Buffer];
  for (const each of [tls, socket, peer]) each.destroy();
  server.close();
  return first;
}

/** Cuts a handshake into records of so many bytes. */
function inRecords(hello: Buffer, size: number): Buffer {
  const message = hello.subarray(5);
  const cuts = Array.from({ length: Math.ceil(message.length / size) }, (_, i) => message.subarray(i * size, (i + 1) * size));
  return Buffer.concat(cuts.flatMap(cut => [Buffer.from([0x16, 3, 1, cut.length >> 8, cut.length & 255]), cut]));
}

describe('a ClientHello', () => {
  it('says whom it is for, whole, in many records, and byte by byte', async () => {
    const hello = await helloOf({ servername: 'allowed.test' });
    const said = { kind: 'hello', serverName: 'allowed.test' };
    expect(readHello(hello)).toEqual(said);
    for (const size of [1, 7, 100]) expect(readHello(inRecords(hello, size))).toEqual(said);
    for (let length = 1; length < hello.length; length++) expect(readHello(hello.subarray(0, length))).toEqual({ kind: 'part' });
    expect(readHello(Buffer.concat([hello, Buffer.from('17030300', 'hex')]))).toEqual(said);
  });

  it('may say nobody', async () => {
    expect(readHello(await helloOf({}))).toEqual({ kind: 'hello', serverName: undefined });
  });

  it('that says two names, one behind the other, is none', async () => {
    const hello = await helloOf({ servername: 'allowed.test' });
    const at = hello.indexOf('allowed.test') - 9;
    const extension = Buffer.from(hello.subarray(at, at + 9 + 'allowed.test'.length));
    extension.write('evil.test.xy', 9);
    const both = Buffer.concat([hello, extension]);
    // Behind version, random, session, ciphers and compression stands the length of all extensions.
    const session = 5 + 4 + 2 + 32;
    const ciphers = session + 1 + hello.readUInt8(session);
    const compression = ciphers + 2 + hello.readUInt16BE(ciphers);
    const extensions = compression + 1 + hello.readUInt8(compression);
    both.writeUInt16BE(hello.readUInt16BE(extensions) + extension.length, extensions);
    both.writeUIntBE(hello.readUIntBE(6, 3) + extension.length, 6, 3);
    both.writeUInt16BE(hello.readUInt16BE(3) + extension.length, 3);
    expect(hello.readUInt16BE(at)).toBe(0);
    expect(readHello(both)).toEqual({ kind: 'other' });
  });

  it('is nothing else', async () => {
    const hello = await helloOf({ servername: 'allowed.test' });
    const at = hello.indexOf('allowed.test');
    const changed = (change: (bytes: Buffer) => void): Buffer => {
      const bytes = Buffer.from(hello);
      change(bytes);
      return bytes;
    };
    const others = {
      http: Buffer.from('GET / HTTP/1.1\r\n\r\n'),
      h2: Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
      ssh: Buffer.from('SSH-2.0-x\r\n'),
      ssl2: Buffer.from('802e0100020015', 'hex'),
      'a record of nothing': Buffer.from('1603010000', 'hex'),
      'a huge record': Buffer.from('160301ffff', 'hex'),
      'a ServerHello': changed(bytes => void bytes.writeUInt8(2, 5)),
      'a huge hello': changed(bytes => void bytes.writeUInt8(1, 6)),
      'a name of another type': changed(bytes => void bytes.writeUInt8(1, at - 3)),
      'a name that is shorter than its list': changed(bytes => void bytes.writeUInt16BE(11, at - 2)),
      'a list that is longer': changed(bytes => void bytes.writeUInt16BE(16, at - 5)),
      'broken off by another record': Buffer.concat([inRecords(hello, 100).subarray(0, 105), Buffer.from('15030300', 'hex')]),
    };
    for (const [name, bytes] of Object.entries(others)) {
      expect([name, readHello(bytes).kind]).toEqual([name, 'other']);
    }
  });
});
