import { spawnSync } from 'node:child_process';
import type { IncomingHttpHeaders } from 'node:http';
import { gunzipSync } from 'node:zlib';

export interface GitRequest {
  readonly headers: IncomingHttpHeaders;
  readonly url: URL;
  readonly bytes: Buffer;
}

/** The two requests of git's smart HTTP, answered by real git from a repository of this machine. */
export function answerGit(repository: string, { headers, url, bytes }: GitRequest): { type: string; bytes: Buffer } {
  const isListing = url.pathname.endsWith('/info/refs');
  const isNew = String(headers['git-protocol']).includes('version=2');
  const { stdout } = spawnSync(
    'git',
    [
      ...['-c', 'safe.directory=*', '-c', 'uploadpack.allowAnySHA1InWant=true', 'upload-pack', '--stateless-rpc'],
      ...(isListing ? ['--http-backend-info-refs'] : []),
      repository,
    ],
    {
      input: isListing ? '' : headers['content-encoding'] === 'gzip' ? gunzipSync(bytes) : bytes,
      env: { PATH: process.env['PATH'], GIT_PROTOCOL: String(headers['git-protocol'] ?? '') },
      maxBuffer: 2 ** 28,
    },
  );
  const greeting = isListing && !isNew ? '001e# service=git-upload-pack\n0000' : '';
  const kind = isListing ? 'advertisement' : 'result';
  return { type: `application/x-git-upload-pack-${kind}`, bytes: Buffer.concat([Buffer.from(greeting), stdout]) };
}
