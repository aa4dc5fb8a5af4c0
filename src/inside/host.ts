import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import type { Socket } from 'node:net';
import { constants } from 'node:os';
import { dirname, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { controlPath } from '../worker/host/job.ts';
import type { HomeFile, HostEvent, HostOrder, Job, Port } from '../worker/host/job.ts';

// The parent of an agent in its sandbox: gives it a HOME and the ways out of the sandbox, passes interrupts on, and ends as it ends.

/** No agent ended so: the worker was gone before there was anything to do. */
const noJobCode = 125;
const notFoundCode = 127;
const cannotRun: ReadonlySet<string | undefined> = new Set(['ENOENT', 'EACCES', 'ENOEXEC', 'ENOTDIR', 'ELOOP', 'EPERM']);

const control = connect(controlPath);
control.on('error', () => process.exit(noJobCode));

let agent: ChildProcess | undefined;
for await (const line of createInterface({ input: control, crlfDelay: Infinity })) {
  if (agent === undefined) agent = await begin(JSON.parse(line) as Job);
  else if ((JSON.parse(line) as HostOrder).order === 'interrupt') agent.kill('SIGINT');
}
if (agent === undefined) process.exit(noJobCode);

async function begin(job: Job): Promise<ChildProcess> {
  for (const file of job.home) put(file);
  await Promise.all(job.ports.map(open));
  return start(job);
}

function start({ argv: [program, ...args], env: own, path, stdin }: Job): ChildProcess {
  const { PATH = '', HOME = '', LANG = '' } = process.env;
  const env = { ...own, PATH: [...path.first, PATH, ...path.last].join(':'), HOME, LANG };
  // A session of its own: an agent that ends its whole process group must not end this one.
  const child = spawn(program, args, { env, stdio: ['pipe', 'inherit', 'inherit'], detached: true });
  child.once('spawn', () => tell({ event: 'started' }));
  child.once('error', (error: NodeJS.ErrnoException) => {
    if (child.pid !== undefined) return;
    const event: HostEvent = cannotRun.has(error.code) ? { event: 'not_found' } : { event: 'failed', message: error.message };
    tell(event, () => process.exit(notFoundCode));
  });
  child.once('exit', (code, signal) => process.exit(code ?? 128 + (signal === null ? 0 : constants.signals[signal])));
  // Who does not read all of it is not wrong.
  child.stdin?.on('error', () => {});
  child.stdin?.end(stdin);
  return child;
}

function tell(event: HostEvent, then: () => void = () => {}): void {
  control.write(`${JSON.stringify(event)}\n`, then);
}

function put(file: HomeFile): void {
  const at = resolve(process.env['HOME'] ?? '/', file.path);
  mkdirSync(dirname(at), { recursive: true, mode: 0o700 });
  if ('target' in file) symlinkSync(file.target, at);
  else writeFileSync(at, file.content, { mode: 0o600 });
}

async function open({ port, path }: Port): Promise<void> {
  const server = createServer({ allowHalfOpen: true }, client => {
    client.setNoDelay();
    const upstream = connect({ path, allowHalfOpen: true });
    pass(client, upstream);
    pass(upstream, client);
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
}

/** What ends well is ended after it; what breaks off breaks the other too, so that half an answer is not taken for a whole one. */
function pass(from: Socket, to: Socket): void {
  from.pipe(to);
  from.on('error', () => to.destroy());
  from.on('close', () => {
    if (!from.readableEnded) to.destroy();
  });
}
