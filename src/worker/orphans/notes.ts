import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { Claimed } from '../../../contract/runs.ts';
import { isDead, thisOwner } from '../../kernel/processes/owner.ts';
import { limitsOf } from '../sandbox.ts';

/** What must be known of a run to bring home what it leaves, should this process die. No secret is in it. */
const note = z.object({
  runId: z.uuid(),
  fence: z.number().int().positive(),
  /** Where the server was: what is left of a run is told to no other. */
  server: z.string(),
  /** Undefined where no work is in the workspace that could be brought home: of a review, or of planning. */
  work: z
    .object({
      branch: z.string(),
      base: z.string(),
      message: z.string(),
      bundleBytesMax: z.number(),
      limits: z.object({
        memoryBytes: z.number(),
        processCount: z.number(),
        cpuCount: z.number(),
        tmpBytes: z.number(),
        workspaceBytes: z.number(),
      }),
    })
    .optional(),
});

export type Note = z.infer<typeof note>;
export type Work = NonNullable<Note['work']>;

/** What is noted of the runs of all workers that share a folder, one file each: `<run>-<fence>~<owner>.json`. */
export interface Notes {
  write(note: Note): LeftNote;
  remove(written: LeftNote): void;
  /** Of processes that are surely dead. */
  left(): readonly LeftNote[];
}

export interface LeftNote {
  readonly note: Note;
  /** As the sandbox of the run is called. */
  readonly id: string;
  readonly path: string;
}

export const nameOf = ({ runId, fence }: Pick<Note, 'runId' | 'fence'>): string => `${runId}-${fence}`;

export function noteOf({ run, ticket, lease, limits, task, subject }: Claimed, server: string): Note {
  const isWork = ticket !== null && (subject.type === 'ticket' || subject.type === 'conflict');
  return {
    ...{ runId: run.id, fence: lease.fence, server },
    work: !isWork
      ? undefined
      : {
          branch: `skep/${ticket.id}`,
          base: task.commit,
          message: `Rescued: ${ticket.title}\n\nSkep-Ticket: ${ticket.id}\nSkep-Run: ${run.id}\n`,
          bundleBytesMax: limits.bundle_bytes_max,
          limits: limitsOf(limits),
        },
  };
}

/** `folder` is made for the worker's user alone. */
export function createNotes(folder: string): Notes {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return {
    write(note) {
      const path = join(folder, `${nameOf(note)}~${thisOwner()}.json`);
      writeWhole(path, JSON.stringify(note));
      return { note, id: nameOf(note), path };
    },
    remove: ({ path }) => rmSync(path, { force: true }),
    left: () =>
      readdirSync(folder).flatMap(name => {
        const [id = '', owner = ''] = name.replace(/[.]json$/, '').split('~');
        const path = join(folder, name);
        if (!isDead(owner)) return [];
        const note = readNote(path);
        if (note !== undefined && nameOf(note) === id) return [{ note, id, path }];
        // Half-written: its run had no sandbox yet.
        rmSync(path, { force: true });
        return [];
      }),
  };
}

/** Undefined where there is none that can be read. */
export function readNote(path: string): Note | undefined {
  try {
    return note.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    return undefined;
  }
}

/** Whole under its name or not there. */
export function writeWhole(path: string, text: string): void {
  const draft = `${path}.draft`;
  try {
    writeFileSync(draft, text, { mode: 0o600 });
    renameSync(draft, path);
  } catch (error) {
    // What a full disk has taken half of is in the way of the rest.
    rmSync(draft, { force: true });
    throw error;
  }
}
