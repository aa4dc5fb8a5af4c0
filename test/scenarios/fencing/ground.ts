import { readdirSync } from 'node:fs';
import { expect } from 'vitest';
import { createToken } from '../../../src/support/access/index.ts';
import { startTestGateway, type TestGateway } from '../../harness/gateway.ts';
import { ask } from '../../harness/raw.ts';
import { type ServedStages, serveStages } from '../../harness/routes.ts';
import { contents } from '../../harness/tables.ts';
import { type Hand, type Write, writes } from './writes.ts';
import type { Ground, Zombie } from './zombies.ts';

/** Everything that answers a worker, on a database of its own. No loop runs: what a snapshot shows to have changed was changed by a request. */
export interface Graveyard {
  readonly gateway: TestGateway;
  readonly served: ServedStages;
  readonly ground: Ground;
  close(): Promise<void>;
}

export async function openGraveyard(): Promise<Graveyard> {
  const gateway = await startTestGateway();
  const { stages } = gateway;
  const served = await serveStages(stages, gateway.gateway);
  const secretOf = async (role: 'worker' | 'admin') => (await stages.app(tx => createToken(tx, { name: role, role }))).secret;
  return {
    ...{ gateway, served },
    ground: { stages, url: served.url, worker: await secretOf('worker'), admin: await secretOf('admin') },
    async close() {
      await served.close();
      await gateway.close();
    },
  };
}

/** How each of the zombie's writes is to be answered is how it is answered, and nothing is different after it; how many were tried. */
export async function expectRefused({ gateway, ground }: Graveyard, zombie: Zombie, hand: Hand): Promise<number> {
  const before = await everything(gateway, ground);
  const tried = writes.filter(write => zombie.refusals[write.by] !== undefined);
  expect(tried.length).toBeGreaterThan(10);
  for (const write of tried) {
    const { status, text } = await ask(ground.url, write.request(hand));
    expect([write.name, status, text]).toEqual([write.name, answerTo(write, zombie), expect.anything()]);
    expect([write.name, changed(before, await everything(gateway, ground))]).toEqual([write.name, {}]);
  }
  expect(gateway.local.requests.filter(({ text }) => text.includes(hand.runId))).toEqual([]);
  return tried.length;
}

function answerTo(write: Write, zombie: Zombie): number | undefined {
  return zombie.mayRepeat?.includes(write.name) === true ? 200 : zombie.refusals[write.by];
}

async function everything(gateway: TestGateway, { stages }: Ground): Promise<Readonly<Record<string, readonly string[]>>> {
  const { superuserUrl, folder } = stages;
  const files = (readdirSync(folder, { recursive: true }) as string[]).filter(name => !/(^|\/)objects\//.test(name));
  return { ...(await contents(superuserUrl)), files: files.sort(), calls: gateway.local.requests.map(({ path }) => path) };
}

/** Rows that came, and rows that went, by table. */
function changed(before: Readonly<Record<string, readonly string[]>>, after: typeof before): Record<string, unknown> {
  const differs = Object.keys(after).filter(name => JSON.stringify(before[name]) !== JSON.stringify(after[name]));
  return Object.fromEntries(
    differs.map(name => {
      const [was = [], is = []] = [before[name], after[name]];
      return [name, { came: is.filter(row => !was.includes(row)), went: was.filter(row => !is.includes(row)) }];
    }),
  );
}
