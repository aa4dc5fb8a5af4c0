import type { Sandbox } from '../../../worker/sandbox.ts';
import { openLeft } from '../left.ts';
import type { Left } from '../orphans.ts';
import { makePlain } from './folder.ts';
import type { Host } from './host/made.ts';
import { createSandbox } from './sandbox.ts';

/** What a dead worker has left, to be looked at. To remove it is the business of who adopts it. */
export async function adoptSandbox(host: Host, left: Left): Promise<Sandbox> {
  const { id, uid, limits } = left;
  const { folder, links, keeps } = await openLeft(left, host.disks);
  const cgroup = uid === undefined ? undefined : host.cgroups?.create(String(uid), limits);
  // It may have been made by the compiled part.
  if (host.native === undefined) makePlain(folder, host.seccomp);
  const spec = { id, limits, files: [], folders: [], keeps };
  return { ...createSandbox({ host, spec, folder, uid, cgroup, links }), kill: () => Promise.resolve() };
}
