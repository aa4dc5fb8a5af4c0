import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { AgentNeeds } from '../../../worker/agent.ts';
import { folderInside, packages } from './packages.ts';
import type { Installable } from './packages.ts';

/** The agents that are installed on this machine. Looked at anew at each call: they come and go while a worker runs. */
export interface Installs {
  /** The folder of the version that this one works with; undefined where it is not installed. */
  find(kind: Installable): string | undefined;
  needs(kind: Installable): AgentNeeds;
}

export function createInstalls(folder: string): Installs {
  function find(kind: Installable): string | undefined {
    const installed = installFolder(folder, kind);
    return isFile(join(installed, packages[kind].program)) ? installed : undefined;
  }

  return {
    find,
    needs(kind) {
      const from = find(kind);
      if (from === undefined) {
        const { version } = packages[kind];
        return {
          kind: 'missing',
          message: `${kind} ${version} is not installed on the worker's machine: skep agent install ${kind}`,
        };
      }
      return { kind: 'met', folders: [{ from, to: folderInside(kind) }], gateway: true, keeps: true, reports: true };
    },
  };
}

/** One folder a version, so that a newer Skep beside an older one finds its own. It appears when it is whole. */
export function installFolder(folder: string, kind: Installable): string {
  return join(folder, kind, packages[kind].version);
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}
