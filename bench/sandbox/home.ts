import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { removeTree } from '../../test/harness/disks.ts';
import type { Stage } from '../harness/bench.ts';

/** Removed at the end with what is mounted in it. */
export function sandboxHome(stage: Stage): string {
  const home = mkdtempSync(join(tmpdir(), 'skep-bench-sandboxes-'));
  stage.atEnd(async () => removeTree(home));
  return home;
}
