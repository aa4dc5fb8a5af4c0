import { existsSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Fault } from '../../kernel/fault.ts';

/** The clone that this program belongs to: the sample and the recording of the demo lie in it. */
export interface Clone {
  readonly root: string;
  readonly sample: string;
  readonly recording: string;
  readonly idea: string;
  /** Where agents are installed for the demo, so that nothing comes into the home of the user and the next demo is quick. */
  readonly agents: string;
  /** What is known of a demo that goes on: interrupted, or kept. */
  readonly state: string;
  readonly program: string;
}

/** Throws Fault `failed` where this is no clone of Skep. */
export function findClone(): Clone {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'demo/recording')) && existsSync(join(folder, 'package.json'))) return cloneAt(folder);
    if (folder === dirname(folder)) break;
  }
  throw new Fault('failed', {
    message: 'The demo lies in the folder demo of a clone of Skep, and this is none',
    hint: 'Clone Skep and type there: npm run demo',
  });
}

/** Public for tests, which change the sample. */
export function cloneAt(root: string): Clone {
  return {
    root,
    sample: join(root, 'demo/sample'),
    recording: join(root, 'demo/recording'),
    idea: join(root, 'demo/idea.txt'),
    agents: join(root, '.cache/agents'),
    state: join(root, '.cache/demo.json'),
    program: join(root, 'bin/skep'),
  };
}

/** What one demo has on the disk beside the clone: a folder with the repository, which stays, and a SKEP_HOME, which does not. */
export interface Places {
  readonly folder: string;
  readonly repository: string;
  readonly home: string;
}

/** How the names of all such folders begin. */
export const folderPrefix = 'skep-demo-';

export function placesIn(folder: string): Places {
  return { folder, repository: join(folder, 'tally'), home: join(folder, 'home') };
}

/** All that a demo needs but the repository. */
export function removeHome({ home }: Places): void {
  rmSync(home, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
}
