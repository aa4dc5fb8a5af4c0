import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createServer, connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { until } from '../../harness/process.ts';

/** A port that nobody listens on just now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise(resolve => server.close(resolve));
  return port;
}

/** Serves the repositories below a folder by git:// to whoever wants to fetch or push; resolves when it answers. */
export async function serveGit(folder: string, port: number): Promise<{ end(): Promise<void> }> {
  const where = [
    '--listen=127.0.0.1',
    `--port=${port}`,
    `--base-path=${folder}`,
    '--export-all',
    '--enable=receive-pack',
    '--reuseaddr',
  ];
  // Not `git daemon`: that would leave the daemon itself behind.
  const program = join(execFileSync('git', ['--exec-path'], { encoding: 'utf8' }).trim(), 'git-daemon');
  const child = spawn(program, where, { stdio: 'ignore' });
  await until('the daemon answers', () => answers(port));
  return { end: () => ended(child) };
}

function answers(port: number): Promise<true | undefined> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(undefined));
  });
}

async function ended(child: ChildProcess): Promise<void> {
  const closed = new Promise(resolve => child.once('close', resolve));
  child.kill('SIGKILL');
  await closed;
}
