import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { type Stages, useStages } from '../../../test/harness/stages.ts';
import { storeArtifact } from './artifacts/artifacts.ts';
import type { BlobStore } from './blobs.ts';
import { storeRescue } from './remains/remains.ts';
import { storeBundle } from './uploads.ts';
import { renew } from './verbs.ts';

let stages: Stages;
useStages(made => (stages = made));

test.each([
  ['a bundle', storeBundle],
  ['an artifact', (parts, scope, upload) => storeArtifact(parts, scope, { name: 'report', ...upload })],
  ['a rescue', (parts, scope, upload) => storeRescue(parts, scope, { runId: scope.holder.runId, fence: scope.fence, ...upload })],
] as readonly [string, Store][])('while %s is kept, however long that takes, the lease is renewed', async (_, store) => {
  const { run, token } = await stages.claimNew();
  const scope = { tenantId: stages.tenantId, actor: 'w', holder: { runId: run.id, token }, fence: run.fence ?? 0 };
  const blobs: BlobStore = {
    ...stages.parts.blobs,
    async receive(source, bytesMax) {
      const received = await stages.parts.blobs.receive(source, bytesMax);
      return {
        ...received,
        async keep() {
          await renew(stages.database, scope, stages.settings);
          await received.keep();
        },
      };
    },
  };
  const source = Readable.from([Buffer.from('# v2 git bundle\n')]);
  const { sha256 } = await store({ database: stages.database, blobs }, scope, { source, bytesMax: 1_000 });
  expect(await stages.sql('select sha256 from blobs where run_id = $1', [run.id])).toEqual([{ sha256 }]);
});

type Store = (
  parts: Parameters<typeof storeBundle>[0],
  scope: Parameters<typeof storeBundle>[1] & { readonly fence: number },
  upload: Parameters<typeof storeBundle>[2],
) => Promise<{ sha256: string }>;
