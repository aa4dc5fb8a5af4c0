import { randomBytes } from 'node:crypto';
import { Fault } from '../../kernel/fault.ts';
import { snapshotsMax } from '../../worker/sandbox.ts';
import type { KeptSnapshot, SandboxSpec, Snapshot } from '../../worker/sandbox.ts';
import { createArchives } from './archives.ts';
import type { Archives, Create } from './archives.ts';

/** How workspaces are disks, where they are. */
interface Disks {
  readonly canStack: boolean;
  kept(): Promise<readonly KeptSnapshot[]>;
}

interface Snapshots {
  /** By way of archives, what the disks of a way of making sandboxes can't do themselves. */
  on(disks: Disks | undefined, create: Create): Create;
  /** What earlier workers have kept. */
  kept(disks: Disks | undefined): Promise<readonly KeptSnapshot[]>;
}

/** Adds snapshots to any way of making sandboxes, whose folder it is told. */
export function createSnapshots(folder: string): Snapshots {
  const archives = createArchives(folder);
  return {
    on(disks, create) {
      const way = disks === undefined ? archiving(archives, create) : disks.canStack ? create : overlaying(archives, create);
      return async spec => {
        checkCount(spec.from ?? []);
        return await way(spec);
      };
    },
    kept: disks => (disks ?? archives).kept(),
  };
}

function archiving(archives: Archives, create: Create): Create {
  return async spec => {
    const { from = [], ...plain } = spec;
    const sandbox = await (from.length === 0 ? create(plain) : archives.unpacked(create, plain, from));
    return { ...sandbox, snapshot: () => archives.take(sandbox) };
  };
}

/** A disk is copied as a whole: what is to lie over it is unpacked. */
function overlaying(archives: Archives, create: Create): Create {
  return async spec => {
    const [first, ...later] = spec.from ?? [];
    if (first === undefined || later.length === 0) return await create(spec);
    const packed: Snapshot[] = [];
    try {
      for (const each of later) {
        const archive = await repacked(archives, { create, spec, from: each });
        packed.push(archive);
      }
      return await archives.unpacked(create, { ...spec, from: [first] }, packed);
    } finally {
      await Promise.all(packed.map(each => each.remove()));
    }
  };
}

interface Repack {
  readonly create: Create;
  readonly spec: SandboxSpec;
  readonly from: Snapshot;
}

async function repacked(archives: Archives, { create, spec: { limits }, from }: Repack): Promise<Snapshot> {
  const id = `part-${randomBytes(4).toString('hex')}`;
  const sandbox = await create({ id, limits, files: [], folders: [], from: [from] });
  try {
    return await archives.take(sandbox);
  } finally {
    await sandbox.kill();
  }
}

/** Throws Fault `invalid_request` for more than `snapshotsMax`. */
function checkCount(from: readonly Snapshot[]): void {
  if (from.length <= snapshotsMax) return;
  throw new Fault('invalid_request', {
    message: `a workspace was to begin as ${from.length} snapshots`,
    hint: `give at most ${snapshotsMax}`,
  });
}
