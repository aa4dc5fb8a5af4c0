import { mkdtempSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { systemClock } from '../../../src/kernel/clock.ts';
import { installAgent } from '../../../src/providers/agents/install/install.ts';
import { removeTree } from '../../harness/disks.ts';
import { buildSkep, endAll, skep } from '../../harness/process.ts';
import { kinds, note } from '../seen.ts';
import { watchSandboxes, wordsOf } from '../silence.ts';
import { agentsFolder } from './world.ts';

/** `skep agent try KIND`, as a person gives it: a ticket, a review, a merge, and nothing left. */
const silence = watchSandboxes();
const temporary = mkdtempSync(join(tmpdir(), 'skep-tries-'));

beforeAll(async () => {
  buildSkep();
  for (const kind of kinds) await installAgent(kind, { folder: agentsFolder, clock: systemClock, onStep: () => {} });
}, 900_000);
afterAll(async () => {
  silence.close();
  await endAll();
  removeTree(temporary);
});

it.each(kinds)('%s does a small ticket, asks nobody, and leaves nothing', async kind => {
  const asking = pathToFileURL(join(import.meta.dirname, '../../fixtures/asking-names.mjs')).href;
  const own = { SKEP_AGENTS: agentsFolder, SKEP_HOME: join(temporary, 'none') };
  const env = { ...own, TMPDIR: temporary, NODE_OPTIONS: `--import=${asking}` };
  const trying = skep(['agent', 'try', kind, '--json', '--timeout', '600'], env);
  silence.add(trying.pid);
  const { code, stderr } = await trying.ended;
  expect([code, stderr]).toEqual([0, '']);
  const verdict = trying.lines.find(({ event }) => event === 'verdict');
  expect(verdict).toMatchObject({ ok: true, files: ['goodbye.txt'], hint: null });
  expect(trying.lines[0]).toMatchObject({ event: 'try', recorded: true });
  const steps = trying.lines.flatMap(({ event, name }) => (event === 'step' ? [name] : []));
  expect(steps).toEqual(expect.arrayContaining(['the agent works', 'check the work', 'merge', 'publish']));
  expect(readdirSync(temporary)).toEqual([]);
  const heard = silence.heard();
  expect(heard.map(each => each.kind)).toContain(kind);
  expect(wordsOf(heard)).toEqual([]);
  note(kind, { tries: 'yes' });
});
