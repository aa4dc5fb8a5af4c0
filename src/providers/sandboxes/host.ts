import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { Fault } from '../../kernel/fault.ts';
import { diskFault, findProgram, SYSTEM_PATH } from './local/host/tools.ts';

/** Where it leads: an operator may have put it on another disk. Throws Fault `disk_full`, or `sandbox_unavailable` where it can't be used. */
export function openHome(folder: string): string {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const place = realpathSync(folder);
    chmodSync(place, 0o700);
    readdirSync(place);
    spread(place);
    return place;
  } catch (error) {
    if (diskFault(error) !== error) throw diskFault(error);
    throw new Fault('sandbox_unavailable', {
      message: `the folder ${folder} cannot be used: ${error instanceof Error ? error.message : String(error)}`,
      hint: `make it a folder of the user that runs the worker (uid ${process.geteuid?.() ?? '?'})`,
      cause: error,
    });
  }
}

/**
 * What comes and goes below it gets parts of the disk of its own, as users have below /home. An ext4 without a journal gives a new file no place
 * that was given back a short while ago, and looks at each of those that lie near: where a hundred sandboxes had just ended, that took longer
 * than all else of the next hundred. Other file systems refuse, and need it not.
 */
function spread(folder: string): void {
  const chattr = findProgram(SYSTEM_PATH, 'chattr');
  if (chattr === undefined) return;
  spawnSync(chattr, ['+T', '--', folder], { stdio: 'ignore', cwd: '/', env: { PATH: SYSTEM_PATH }, timeout: spreadMsMax });
}

const spreadMsMax = 5_000;

/** Whatever started the worker may have left descriptors open; they would be handed on to the agent. */
export function inheritedDescriptors(): number[] {
  if (process.platform !== 'linux') return [];
  return readdirSync('/proc/self/fdinfo').flatMap(name => {
    try {
      const flags = /^flags:\s+([0-7]+)/m.exec(readFileSync(`/proc/self/fdinfo/${name}`, 'utf8'))?.[1] ?? '0';
      const closesOnExec = (Number.parseInt(flags, 8) & 0o2000000) !== 0;
      return Number(name) > 2 && !closesOnExec ? [Number(name)] : [];
    } catch {
      return [];
    }
  });
}
