import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { WireBudget } from '../../contract/models/budgets.ts';
import type { ExecAgent } from '../../contract/projects.ts';
import { startEmbedded } from '../../src/db/embedded/index.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { query, withDatabase } from './database.ts';
import { type Farm, startFarm } from './farm.ts';
import { openTill, paidPrice, type Till } from './paid-model.ts';
import { endAll, tempFolder } from './process.ts';
import { type ScriptedModel, startScriptedModel } from './scripted-model.ts';

/** A server process whose models are those of one scripted provider, `local`, which wants a key. */
interface ModelFarm {
  readonly farm: Farm;
  readonly provider: ScriptedModel;
  readonly till: Till;
  readonly key: string;
}

const keyVariable = 'LOCAL_MODEL_KEY';
const model = 'local/m';

const closing: (() => Promise<void>)[] = [];

export async function startModelFarm(env: Readonly<Record<string, string>> = {}, home?: string): Promise<ModelFarm> {
  const provider = await startScriptedModel();
  closing.push(() => provider.close());
  const models = join(tempFolder(), 'models.json');
  const local = { kind: 'openai-compatible', base_url: `${provider.url}/v1`, key_env: keyVariable };
  writeFileSync(models, JSON.stringify({ providers: { local }, prices: { [model]: paidPrice } }));
  const key = `sk-proof-${randomBytes(24).toString('hex')}`;
  const farm = await startFarm({ SKEP_MODELS: models, [keyVariable]: key, ...env }, home);
  return { farm, provider, till: openTill(), key };
}

/** For afterEach. */
export async function endModelFarms(): Promise<void> {
  await endAll();
  await Promise.all(closing.splice(0).map(close => close()));
}

/** One of the scripts of test/samples/agents, with the model `local/m` and these options. */
export function modelAgent(name: 'ask' | 'haunt' | 'search', options: object = {}): ExecAgent {
  const text = readFileSync(join(import.meta.dirname, '../samples/agents', `${name}.cjs`), 'utf8');
  return { kind: 'exec', command: ['node', '-e', text, JSON.stringify(options)], model };
}

const run = promisify(execFile);
const program = join(import.meta.dirname, '../../bin/skep');

/** A command as a person gives it, with --json. */
export async function skepJson<T>({ url, token }: Farm, ...argv: readonly string[]): Promise<T> {
  const env = { PATH: process.env['PATH'], HOME: process.env['HOME'], SKEP_SERVER: url, SKEP_TOKEN: token };
  const { stdout } = await run(process.execPath, [program, ...argv, '--json'], { env });
  return JSON.parse(stdout) as T;
}

export async function budgetsOf({ call }: Pick<Farm, 'call'>): Promise<readonly WireBudget[]> {
  return (await call('GET', '/api/budgets')).body['budgets'] as WireBudget[];
}

/** Asks the farm's own database, past its server. */
export async function sqlOf<Row extends object>({ home }: Pick<Farm, 'home'>, text: string): Promise<Row[]> {
  const { superuserUrl } = await startEmbedded({ home, clock: systemClock, log: silentLog });
  return query<Row>(withDatabase(superuserUrl, 'skep'), text);
}

/** Resolves when each of `count` names has arrived, for all of them. */
export function gathering(count: number): (name: string) => Promise<void> {
  const names = new Set<string>();
  let open = (): void => {};
  const opened = new Promise<void>(resolve => {
    open = resolve;
  });
  return name => {
    if (names.add(name).size >= count) open();
    return opened;
  };
}

/** Stands between a worker and its server; `see` is given what the server answers, as it comes. */
export async function startProxy(target: string, see: (path: string, chunk: string) => void): Promise<string> {
  const proxy = createServer((incoming, outgoing) => {
    const { method, headers, url = '' } = incoming;
    const onward = request(new URL(url, target), { method, headers }, answer => {
      answer.on('data', (chunk: Buffer) => see(url, chunk.toString()));
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    onward.on('error', () => outgoing.destroy());
    outgoing.on('close', () => onward.destroy());
    incoming.pipe(onward);
  });
  await new Promise<void>(resolve => proxy.listen(0, '127.0.0.1', resolve));
  closing.push(async () => {
    proxy.closeAllConnections();
    await new Promise(resolve => void proxy.close(resolve));
  });
  return `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
}
