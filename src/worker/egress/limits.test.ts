import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { certificateFor, startEgress, startHost } from '../../../test/harness/egress.ts';
import type { TestEgress, TestHost } from '../../../test/harness/egress.ts';
import { systemClock } from '../../kernel/clock.ts';
import { networkRule, networkRules } from '../../../contract/network/rules.ts';
import { readCredentials } from './credentials.ts';
import { createGuard } from './guard.ts';
import { maskOf, maskOfAll } from './plain/mask.ts';
import { createRefusals } from './refusals.ts';

const here = async (): Promise<readonly string[]> => ['127.0.0.1'];

async function opened(options: Parameters<typeof startEgress>[0]): Promise<TestEgress> {
  const egress = await startEgress({ lookup: here, ...options });
  onTestFinished(() => egress.close());
  return egress;
}

async function hostOf(...given: Parameters<typeof startHost>): Promise<TestHost> {
  const host = await startHost(...given);
  onTestFinished(() => host.close());
  return host;
}

const request = (target: string, more = ''): string => {
  const host = /^http:\/\/([^/]+)/.exec(target)?.[1] ?? '';
  return `GET ${target} HTTP/1.1\r\nHost: ${host}\r\n${more}Connection: close\r\n\r\n`;
};

describe('a key of the worker', () => {
  const key = 'k3y-of-the-worker';
  const credentials = new Map([
    ['npm', { hosts: ['keyed.test', '*.keys.test'], header: 'authorization', value: `Bearer ${key}` }],
  ]);
  const certificate = certificateFor('keyed.test', 'a.keys.test');

  async function keyed(listener: Parameters<typeof startHost>[0]): Promise<{ host: TestHost; egress: TestEgress }> {
    const host = await hostOf(listener, certificate);
    const { port } = host;
    const rules = ['keyed.test', 'a.keys.test', 'other.test'].map(name => ({
      host: name,
      port,
      credential: 'npm',
      private: true,
    }));
    const egress = await opened({
      rules: [...rules, { host: 'unknown.test', port, credential: 'none', private: true }],
      credentials,
      authorities: [certificate.cert],
    });
    return { host, egress };
  }

  it('goes along to its hosts by https, whatever the sandbox says in that header', async () => {
    const heard: unknown[] = [];
    const { host, egress } = await keyed((asked, response) => {
      heard.push(asked.headersDistinct['authorization'], asked.headers['x-own']);
      response.end('ok');
    });
    const own = 'Authorization: Bearer stolen\r\nauthorization: again\r\nX-Own: kept\r\n';
    expect(await egress.say(request(`http://keyed.test:${host.port}/a`, own))).toMatch(/^HTTP\/1.1 200 /);
    expect(heard).toEqual([[`Bearer ${key}`], 'kept']);
    expect(host.seen).toEqual([`GET /a keyed.test:${host.port}`]);
  });

  it.each(['other.test', 'unknown.test'])('goes to no other host, whatever a project says: %s', async name => {
    const { host, egress } = await keyed((_asked, response) => response.end('ok'));
    expect(await egress.say(request(`http://${name}:${host.port}/`))).toMatch(/^HTTP\/1.1 403 /);
    expect(egress.refused.map(({ reason }) => reason)).toEqual(['credential']);
    expect(host.seen).toEqual([]);
  });

  it('comes back in no header and no body, and opens no session', async () => {
    const { host, egress } = await keyed((asked, response) => {
      response.writeHead(401, {
        'set-cookie': 'session=1',
        'x-echo': String(asked.headers.authorization),
        location: `https://keyed.test:${host.port}/again?token=${key}`,
      });
      response.write(`you said ${String(asked.headers.authorization).slice(0, 12)}`);
      setImmediate(() => response.end(`${String(asked.headers.authorization).slice(12)}, that is ${key}`));
    });
    const answer = await egress.say(request(`http://keyed.test:${host.port}/`));
    expect(answer).toMatch(/^HTTP\/1.1 401 /);
    expect(answer).not.toContain(key);
    expect(answer).not.toContain('set-cookie');
    expect(answer).toContain('you said ');
    expect(answer.toLowerCase()).toContain(`location: http://keyed.test:${host.port}/again?token=***`);
  });

  it('is shown to nobody who cannot prove to be the host', async () => {
    const { host, egress } = await keyed((_asked, response) => response.end('ok'));
    const strangers = await hostOf((_asked, response) => response.end('ok'), certificateFor('evil.test'));
    const rules = [{ host: 'keyed.test', port: strangers.port, credential: 'npm', private: true }];
    const wary = await opened({ rules, credentials, authorities: [certificate.cert] });
    const answer = await wary.say(request(`http://keyed.test:${strangers.port}/`));
    expect(answer).toMatch(/^HTTP\/1.1 502 /);
    expect(answer).not.toContain(key);
    expect(strangers.seen).toEqual([]);
    expect(await egress.say(request(`http://a.keys.test:${host.port}/`))).toMatch(/^HTTP\/1.1 200 /);
  });

  it('of any cut is blotted out, with what a Basic one holds', () => {
    const value = `Basic ${Buffer.from('ann:pass-word').toString('base64')}`;
    const mask = maskOf(value);
    expect(mask.text(`a ${value} pass-word ann:pass-word Basic b`)).not.toMatch(/pass-word|YW5u/);
    expect(mask.text('Basic b')).toBe('Basic b');
    const stream = maskOf(`Bearer ${key}`).stream();
    const heard: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => heard.push(chunk));
    const text = `x${key}y${key}${key}z`;
    for (const letter of text) stream.write(letter);
    stream.end();
    return once(stream, 'end').then(() =>
      expect(Buffer.concat(heard).toString()).toBe(text.replaceAll(key, '*'.repeat(key.length))),
    );
  });

  it('is held back in no more than what may be its beginning, and blotted out where another is a part of it', () => {
    const veil = maskOfAll(['key-one', 'key-one-and-two']).open();
    const shown = ['a line\n', 'no k', 'ey, key-one', '-and-t', 'wo; key-one', '-or', ' key'].map(text =>
      veil.pass(Buffer.from(text)).toString(),
    );
    expect(shown).toEqual(['a line\n', 'no ', 'key, ', '', `${'*'.repeat(15)}; `, `${'*'.repeat(7)}-or`, ' ']);
    expect([veil.rest().toString(), veil.rest().length]).toEqual(['key', 0]);
  });
});

describe('the file of credentials', () => {
  const read = (text: string | undefined): ReturnType<typeof readCredentials> => {
    const folder = mkdtempSync(join(tmpdir(), 'skep-credentials-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const file = join(folder, 'credentials.json');
    if (text !== undefined) writeFileSync(file, text);
    return readCredentials({ file, variable: name => ({ KEY: 'k3y-of-the-worker' })[name] });
  };
  const npm = { hosts: ['npm.example.org'], header: 'Authorization', value_env: 'KEY', scheme: 'Bearer' };

  it('need not be there, and names variables', () => {
    expect(read(undefined).size).toBe(0);
    expect(read(JSON.stringify({ npm })).get('npm')).toEqual({
      hosts: ['npm.example.org'],
      header: 'authorization',
      value: 'Bearer k3y-of-the-worker',
    });
  });

  it.each([
    ['{"npm": ', 'credentials.json:1:'],
    ['[]', 'credentials.json'],
    [{ npm: { ...npm, value: 'x' } }, 'npm'],
    [{ npm: { ...npm, hosts: [] } }, 'npm.hosts'],
    [{ npm: { ...npm, hosts: ['https://npm.example.org'] } }, 'npm.hosts.0'],
    [{ npm: { ...npm, hosts: ['*'] } }, 'npm.hosts.0'],
    [{ npm: { ...npm, header: 'Host' } }, 'npm.header'],
    [{ npm: { ...npm, header: 'Transfer-Encoding' } }, 'npm.header'],
    [{ npm: { ...npm, header: 'a b' } }, 'npm.header'],
    [{ npm: { ...npm, value_env: 'NOT_THERE' } }, 'NOT_THERE is not set'],
    [{ npm: { ...npm, scheme: 'a\r\nb' } }, 'npm.scheme'],
    [{ 'N P M': npm }, 'N P M'],
  ])('%j is refused, and says where', (content, where) => {
    const text = typeof content === 'string' ? content : JSON.stringify(content);
    expect(() => read(text)).toThrow(where);
  });
});

describe('limits', () => {
  it('a run that has moved all that it may moves nothing more', async () => {
    const host = await hostOf((_asked, response) => response.end('x'.repeat(100_000)));
    const rules = [{ host: 'allowed.test', port: host.port, private: true }];
    const egress = await opened({ rules, bytesMax: 150_000 });
    const target = request(`http://allowed.test:${host.port}/`);
    expect((await egress.say(target)).length).toBeGreaterThan(100_000);
    expect(egress.hasMoved()).toBe(true);
    expect(egress.hasMoved()).toBe(false);
    expect((await egress.say(target)).length).toBeLessThan(100_000);
    expect(await egress.say(target)).toBe('');
    expect(egress.refused.map(({ reason }) => reason)).toEqual(['bytes']);
  });

  it('one who reads nothing, and one whose name nobody answers, hold up nobody else', async () => {
    const host = await hostOf((_asked, response) => response.end(Buffer.alloc(50_000_000)));
    const rules = [
      { host: 'allowed.test', port: host.port, private: true },
      { host: '*.slow.test', port: host.port, private: true },
    ];
    let asked = 0;
    const lookup = async (name: string): Promise<readonly string[]> => {
      if (!name.endsWith('slow.test')) return here();
      asked += 1;
      return new Promise(() => {});
    };
    const target = request(`http://allowed.test:${host.port}/`);
    const greedy = await opened({ rules, lookup });
    const idle = greedy.open();
    idle.write(target);
    await once(idle, 'readable');
    expect((await greedy.say(target)).length).toBeGreaterThan(50_000_000);
    for (let i = 0; i < 20; i++) greedy.open().write(request(`http://${i}.slow.test:${host.port}/`));
    await expect.poll(() => asked).toBe(1);
    const other = await opened({ rules, lookup });
    expect((await other.say(target)).length).toBeGreaterThan(50_000_000);
    expect(asked).toBe(1);
    idle.destroy();
  });

  it('when it is closed, what is under way is broken off', async () => {
    const host = await hostOf(() => {});
    const egress = await opened({ rules: [{ host: 'allowed.test', port: host.port, private: true }] });
    const answer = egress.say(request(`http://allowed.test:${host.port}/`));
    await expect.poll(() => host.seen.length).toBe(1);
    egress.close();
    expect(await answer).toBe('');
  });
});

describe('a host that means harm', () => {
  it.each([
    ['a status that there is not', 'HTTP/1.1 099 No\r\n\r\n'],
    ['a status of another protocol', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n'],
    ['no HTTP', 'nonsense\r\n\r\n'],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab'],
    ['a length and chunks', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['a head without end', `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(100_000)}`],
    ['nothing', ''],
  ])('and answers with %s is no answer', async (_what, bytes) => {
    const host = createServer(socket => {
      socket.on('error', () => {});
      socket.once('data', () => socket.end(bytes, 'latin1'));
    }).listen(0, '127.0.0.1');
    onTestFinished(() => void host.close());
    await once(host, 'listening');
    const { port } = host.address() as AddressInfo;
    const egress = await opened({ rules: [{ host: 'allowed.test', port, private: true }] });
    expect(await egress.say(request(`http://allowed.test:${port}/`))).toMatch(/^HTTP\/1.1 502 /);
  });
});

describe("Skep's own ports", () => {
  it('are reached by no rule', async () => {
    const parts = { server: 'http://skep.test:8080', lookup: here, ownPorts: () => [5_555], clock: systemClock };
    const commands: Readonly<Record<number, string>> = {
      6_000: 'node /opt/bin/skep',
      6_001: 'postgres',
      6_002: 'node server.js',
    };
    const isGuarded = await createGuard({ ...parts, owner: port => ({ pid: 1, command: commands[port] ?? '' }) });
    const verdicts = [
      ['127.0.0.1', 8080],
      ['127.0.0.2', 8080],
      ['::1', 8080],
      ['127.0.0.1', 5_555],
      ['127.0.0.1', 6_000],
      ['127.0.0.1', 6_001],
      ['127.0.0.1', 6_002],
      ['10.255.255.1', 8080],
    ].map(([address, port]) => isGuarded({ address: String(address), port: Number(port) }));
    expect(verdicts).toEqual([true, true, true, true, true, true, false, false]);
    const elsewhere = await createGuard({ ...parts, lookup: async () => ['10.255.255.1'], owner: () => undefined });
    expect(elsewhere({ address: '10.255.255.1', port: 8080 })).toBe(true);
    expect(elsewhere({ address: '127.0.0.1', port: 8080 })).toBe(false);
  });

  it('a refused one is told of', async () => {
    const host = await hostOf((_asked, response) => response.end('ok'));
    const isGuarded = ({ port }: { port: number }): boolean => port === host.port;
    const egress = await opened({ rules: [{ host: 'allowed.test', port: host.port, private: true }], isGuarded });
    expect(await egress.say(request(`http://allowed.test:${host.port}/`))).toMatch(/^HTTP\/1.1 403 /);
    expect(egress.refused.map(({ reason }) => reason)).toEqual(['guarded']);
    expect(host.seen).toEqual([]);
  });
});

describe('refusals', () => {
  it('are told at the first, at ten times as many, and in the end; fifty different ones, and the rest together', () => {
    const told: string[] = [];
    const refusals = createRefusals({
      add: (type, { host, reason, count }) => void told.push(`${type} ${String(host)} ${String(reason)} ${String(count)}`),
    });
    const one = (host: string): void => refusals.add({ host, port: 443, method: 'CONNECT', reason: 'host' });
    for (let i = 0; i < 12; i++) one('a.test');
    expect(told).toEqual(['network.refused a.test host 1', 'network.refused a.test host 10']);
    for (let i = 0; i < 60; i++) one(`${i}.test`);
    one('a.test');
    expect(told).toHaveLength(2 + 49 + 2);
    refusals.sumUp();
    expect(told.slice(-2)).toEqual(['network.refused a.test host 13', 'network.refused others more 11']);
    refusals.sumUp();
    expect(told).toHaveLength(2 + 49 + 2 + 2);
  });

  it('hold nothing that steers a terminal', () => {
    const told: unknown[] = [];
    const refusals = createRefusals({ add: (_type, { host }) => void told.push(host) });
    refusals.add({ host: 'a\u001b[31m\0é b', port: null, method: 'GET', reason: 'malformed' });
    expect(told).toEqual(['a?[31m???b']);
  });
});

describe('a rule', () => {
  it.each([
    { host: 'https://a.test' },
    { host: 'A.test' },
    { host: 'a.test.' },
    { host: 'a.test:80' },
    { host: '*' },
    { host: '*.test' },
    { host: 'a.*.test' },
    { host: '*.*.test' },
    { host: '127.1' },
    { host: '2130706433' },
    { host: '' },
    { host: 'a.test', port: 0 },
    { host: 'a.test', port: 65_536 },
    { host: 'a.test', methods: [] },
    { host: 'a.test', methods: ['get'] },
    { host: 'a.test', methods: ['CONNECT'] },
    { host: 'a.test', methods: ['TRACE'] },
    { host: 'a.test', credential: 'A B' },
    { host: 'a.test', other: 1 },
  ])('%j is none', given => {
    expect(networkRule.safeParse(given).success).toBe(false);
  });

  it('stands alone for its host and port, and of a hundred at most', () => {
    const many = (count: number) => Array.from({ length: count }, (_, i) => ({ host: `h${i}.test` }));
    expect(networkRules.safeParse(many(100)).success).toBe(true);
    expect(networkRules.safeParse(many(101)).success).toBe(false);
    expect(networkRules.safeParse([{ host: 'a.test' }, { host: 'a.test', methods: ['GET'] }]).success).toBe(false);
    expect(networkRules.safeParse([{ host: 'a.test' }, { host: 'a.test', port: 8080 }]).success).toBe(true);
  });
});
