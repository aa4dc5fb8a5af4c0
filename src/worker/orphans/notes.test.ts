import { randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { temporaryFolder } from '../../../test/harness/worker.ts';
import { thisOwner } from '../../kernel/processes/owner.ts';
import { createNotes, nameOf } from './notes.ts';

it('a note that could not be written leaves nothing, as on a full disk', () => {
  const folder = temporaryFolder();
  const notes = createNotes(folder);
  const note = { runId: randomUUID(), fence: 7, server: 'http://127.0.0.1:9' };
  const inItsPlace = `${nameOf(note)}~${thisOwner()}.json`;
  mkdirSync(join(folder, inItsPlace));
  expect(() => notes.write(note)).toThrow('EISDIR');
  expect(readdirSync(folder)).toEqual([inItsPlace]);
});
