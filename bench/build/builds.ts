import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { project } from '../../contract/projects.ts';
import { session as sessionAnswer, startBuildAnswer } from '../../contract/sessions.ts';
import type { SpecCardInput } from '../../contract/spec-card.ts';
import type { Client } from '../../src/client/index.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import type { Stage } from '../harness/bench.ts';
import { temporaryHome } from '../harness/place.ts';
import { allEvents, type Log } from './log.ts';

export interface Wanted {
  readonly name: string;
  readonly card: SpecCardInput;
  readonly repository: string;
  readonly endMs: number;
}

export interface Built {
  /** From the request to build to the session's end: everything is merged, published and validated. */
  readonly totalMs: number;
  readonly log: Log;
}

/** An agent that works for no time: it writes one file of its own. */
const agent = { kind: 'exec', command: ['sh', '-c', 'mkdir -p work && echo done > "work/$SKEP_TICKET_ID"'] };
/** A check that finds out for real, and at once. */
const checks = [
  { name: 'nothing is empty', command: ['sh', '-c', 'test -z "$(find . -path ./.git -prune -o -type f -empty -print)"'] },
];

/** Builds a card from its start to its end, and says how long it took. Throws where a ticket fails. */
export async function build(client: Client, { name, card, repository, endMs }: Wanted): Promise<Built> {
  await client.request('POST', '/api/projects', { body: { name, repository, agent, checks }, schema: project });
  const body = { project_name: name, description: name, spec_card: card };
  const { id } = await client.request('POST', '/api/hitl', { body, schema: sessionAnswer });
  await client.request('POST', `/api/hitl/${id}/approve`, { schema: sessionAnswer });
  const from = systemClock.mono();
  await client.request('POST', `/api/hitl/${id}/start-build`, { body: { confirmed: true }, schema: startBuildAnswer });
  for (;;) {
    const { state } = await client.request('GET', `/api/hitl/${id}`, { schema: sessionAnswer });
    if (state === 'completed') break;
    if (systemClock.mono() - from > endMs) throw new Error(`${name} is still ${state} after ${endMs} ms`);
    // Seldom enough that asking does not slow the build down.
    await systemClock.sleep(50);
  }
  return { totalMs: systemClock.mono() - from, log: await allEvents(client) };
}

/** `count` tickets, `width` of them side by side, each layer waiting for one of the layer before. */
export function cardOf(count: number, width: number): SpecCardInput {
  const title = (index: number) => `Ticket ${index + 1}`;
  const features = Array.from({ length: count }, (_, index) => ({
    title: title(index),
    depends_on: index < width ? [] : [title(index - width)],
  }));
  return { name: `${count} tickets`, features };
}

/** A repository of `files` files in folders of 100, with some content of its own each. */
export function repositoryOf(stage: Stage, files: number): string {
  const folder = temporaryHome(stage);
  const git = (...args: string[]) =>
    execFileSync('git', ['-C', folder, '-c', 'user.name=b', '-c', 'user.email=b@example.invalid', ...args]);
  git('init', '--quiet', '--initial-branch', 'main');
  for (let index = 0; index < files; index++) {
    const place = join(folder, `folder-${Math.floor(index / 100)}`);
    if (index % 100 === 0) mkdirSync(place);
    writeFileSync(join(place, `file-${index}.txt`), `line of ${index}\n`.repeat(40));
  }
  git('add', '--all');
  git('commit', '--quiet', '--message', 'Begin');
  return folder;
}
