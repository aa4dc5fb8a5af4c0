import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { promisify } from 'node:util';
import { createGunzip } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { git, makeRepository, temporaryFolder } from '../../../../test/harness/worker.ts';
import { systemClock } from '../../../kernel/clock.ts';
import { isFault } from '../../../kernel/fault.ts';
import { createDepot } from './index.ts';
import type { BareRepository } from './index.ts';

let depot: BareRepository;
let source: string;
let wanted: string;
let server: Server;
let url: string;
let into: string;

beforeEach(async () => {
  depot = await (await createDepot({ folder: temporaryFolder(), clock: systemClock })).open('p');
  source = makeRepository({ a: 'a' });
  wanted = git(source, 'rev-parse', 'HEAD');
  git(source, 'push', '--quiet', depot.gitDir, 'HEAD:refs/skep/base', 'HEAD:refs/heads/main');
  server = createServer((request, response) => void answer(request, response)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/repository`;
  into = temporaryFolder();
  git(into, 'init', '--quiet', '--bare');
});
afterEach(() => void server.close());

/** As a route would do it. */
async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const service = request.method === 'GET' ? 'advertise' : 'rpc';
  const protocol = request.headers['git-protocol'];
  const input = request.headers['content-encoding'] === 'gzip' ? request.pipe(createGunzip()) : request;
  response.setHeader('content-type', `application/x-git-upload-pack-${service === 'rpc' ? 'result' : 'advertisement'}`);
  try {
    await depot.transfer.uploadPack({
      ...{ service, output: response, wants: [wanted], protocol: typeof protocol === 'string' ? protocol : undefined },
      ...(service === 'rpc' ? { input } : {}),
    });
  } catch (error) {
    if (response.headersSent) response.destroy();
    else response.writeHead(isFault(error) ? error.kind.status : 500).end();
  }
}

// Not execFileSync: the server lives in this process.
const run = promisify(execFile);
async function fetched(what: string): Promise<string> {
  const env = { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1' };
  await run('git', ['-C', into, 'fetch', '--quiet', url, `${what}:refs/heads/got`], { env });
  return git(into, 'rev-parse', 'refs/heads/got');
}

const exchange = (body: string | Buffer, protocol = 'version=2') => {
  const output = new PassThrough();
  const sending = depot.transfer.uploadPack({
    service: 'rpc',
    input: Readable.from([Buffer.from(body)]),
    output,
    protocol,
    wants: [wanted],
  });
  return { output, sending };
};

const line = (text: string) => `${(text.length + 4).toString(16).padStart(4, '0')}${text}`;

describe('a worker', () => {
  it('fetches the commit that it was given', async () => {
    expect(await fetched(wanted)).toBe(wanted);
    expect(git(into, 'show', `${wanted}:a`)).toBe('a');
  });

  it('fetches what is new since its last fetch', async () => {
    await fetched(wanted);
    writeFileSync(join(source, 'a'), 'b');
    git(source, 'commit', '--quiet', '--all', '--message=second');
    git(source, 'push', '--quiet', depot.gitDir, 'HEAD:refs/skep/next');
    const before = wanted;
    wanted = git(source, 'rev-parse', 'HEAD');
    expect(await fetched(wanted)).toBe(wanted);
    expect(git(into, 'rev-parse', 'refs/heads/got~1')).toBe(before);
  });

  it('is shown no other commit and gets none', async () => {
    git(source, 'commit', '--quiet', '--allow-empty', '--message=secret');
    git(source, 'push', '--quiet', depot.gitDir, 'HEAD:refs/skep/other');
    const secret = git(source, 'rev-parse', 'HEAD');
    await expect(fetched(secret)).rejects.toThrow(/403/);
    await expect(fetched('refs/skep/other')).rejects.toThrow(/couldn't find remote ref/);
    const env = { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null' };
    expect((await run('git', ['ls-remote', url], { env })).stdout).toBe('');
  });

  it('fetches in a repository of SHA-256', async () => {
    depot = await (await createDepot({ folder: temporaryFolder(), clock: systemClock })).open('p', 'sha256');
    wanted = await depot.merging.rootCommit();
    into = temporaryFolder();
    git(into, 'init', '--quiet', '--bare', '--object-format=sha256');
    expect(await fetched(wanted)).toBe(wanted);
  });
});

describe('a request', () => {
  it.each([
    ['asks for a ref by name', line('command=fetch') + '0001' + line('want-ref refs/skep/base') + '0000'],
    ['asks for another commit last', line('command=fetch') + '0001' + line(`want ${'1'.repeat(40)}\n`) + '0000'],
    ['asks for a part of an id', line('command=fetch') + '0001' + line('want 1\n') + '0000'],
  ])('that %s is forbidden', async (_, body) => {
    const { sending, output } = exchange(body);
    await expect(sending).rejects.toMatchObject({ code: 'forbidden' });
    expect([output.writableEnded, output.readableLength]).toEqual([false, 0]);
  });

  it.each([['no lines at all'], ['000'], ['ffff'], ['0003'], [`${line('want x')}zzzz`]])(
    'that is %j is not valid',
    async body => {
      await expect(exchange(body).sending).rejects.toMatchObject({
        code: expect.stringMatching(/invalid_request|forbidden/) as string,
      });
    },
  );

  it('that is larger than a request of git is refused', async () => {
    await expect(exchange(Buffer.alloc(9 * 1_048_576, '0000')).sending).rejects.toMatchObject({ code: 'too_large' });
  });

  it.each([undefined, '', 'version=1', 'version=22', 'x'])('of the protocol %j is refused', async protocol => {
    const asked = depot.transfer.uploadPack({ service: 'advertise', output: new PassThrough(), protocol, wants: [wanted] });
    await expect(asked).rejects.toMatchObject({ code: 'invalid_request' });
  });

  it('whose answer nobody reads any more ends, and its git too', async () => {
    const output = new PassThrough();
    output.destroy();
    await expect(
      depot.transfer.uploadPack({ service: 'advertise', output, protocol: 'version=2', wants: [wanted] }),
    ).rejects.toThrow(/premature close|EPIPE|destroyed/i);
  });

  it('ends when its signal comes', async () => {
    const stopping = new AbortController();
    stopping.abort(new Error('stopped'));
    const request = {
      service: 'advertise',
      output: new PassThrough(),
      protocol: 'version=2',
      wants: [],
      signal: stopping.signal,
    } as const;
    await expect(depot.transfer.uploadPack(request)).rejects.toThrow('stopped');
  });
});
