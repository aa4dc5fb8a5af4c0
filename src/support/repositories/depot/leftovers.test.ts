import { existsSync, mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { temporaryFolder } from '../../../../test/harness/worker.ts';
import { systemClock } from '../../../kernel/clock.ts';
import { createDepot, tidyDepot } from './index.ts';

const project = '0198a2b4-0000-7000-8000-000000000001';
const run = '0198a2b4-0000-7000-8000-00000000000a';
const noRun = '0198a2b4-0000-7000-8000-00000000000b';

it('removes what killed processes have left, and nothing that is young or in use', async () => {
  const folder = temporaryFolder();
  const { gitDir, refs, merging } = await (await createDepot({ folder, clock: systemClock })).open(project);
  const root = await merging.rootCommit();
  for (const ref of [`runs/${run}`, `runs/${noRun}`, 'trunks/1']) await refs.set(`refs/skep/${ref}`, root);
  const at = (where: string, names: readonly string[]) => names.map(name => join(where, name));
  const draft = (end: string) => join(folder, `${project}.git.0198a2b4-0000-7000-8000-00000000000${end}`);
  const old = [draft('c'), ...at(gitDir, ['incoming-old', 'packed-refs.lock', `refs/skep/runs/${run}.lock`])];
  const young = [draft('d'), ...at(gitDir, ['incoming-young', 'refs/skep/trunks/1.lock'])];
  for (const path of [...old, ...young]) {
    if (path.endsWith('.lock')) writeFileSync(path, '');
    else mkdirSync(path);
  }
  for (const path of old) utimesSync(path, 1, 1);

  const tidy = () =>
    tidyDepot({ folder, clock: systemClock, runsAmong: ids => Promise.resolve(new Set(ids.filter(id => id === run))) });
  expect(await tidy()).toBe(old.length + 1);
  expect(old.filter(path => existsSync(path))).toEqual([]);
  expect(young.filter(path => existsSync(path) || path.endsWith('.lock'))).toEqual(young);
  expect(await refs.read(`refs/skep/runs/${noRun}`)).toBeUndefined();
  expect(await refs.read(`refs/skep/runs/${run}`)).toBe(root);
  expect(await refs.read('refs/skep/trunks/1')).toBe(root);
  expect(await tidy()).toBe(0);
});

it('has nothing to do where there is no depot yet', async () => {
  const folder = join(temporaryFolder(), 'none');
  expect(await tidyDepot({ folder, clock: systemClock, runsAmong: () => Promise.resolve(new Set()) })).toBe(0);
});
