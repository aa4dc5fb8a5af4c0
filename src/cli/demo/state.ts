import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { z } from 'zod';
import { isSameProcess, processInfo } from '../../kernel/processes/info.ts';
import { demoAgents } from './options.ts';
import { folderPrefix } from './places.ts';
import type { Clone } from './places.ts';

/** What is known of the demo that this clone has begun and not ended. */
const state = z.object({
  /** Its folder among the temporary files. It is removed some day, so it must be one of ours. */
  folder: z.string().refine(path => basename(path).startsWith(folderPrefix)),
  agent: z.enum(demoAgents),
  isChaotic: z.boolean(),
  /** The process that runs it; or, where it was kept, the server and its worker. */
  pid: z.number().int(),
  start: z.string(),
  isKept: z.boolean(),
});

export type DemoState = z.infer<typeof state>;

export function readState({ state: path }: Clone): DemoState | undefined {
  try {
    const read = state.safeParse(JSON.parse(readFileSync(path, 'utf8')));
    return read.success ? read.data : undefined;
  } catch {
    return undefined;
  }
}

export function isAlive({ pid, start }: Pick<DemoState, 'pid' | 'start'>): boolean {
  return isSameProcess(pid, start);
}

/** Written whole: another demo may read it right now. */
export function writeState({ state: path }: Clone, kept: Omit<DemoState, 'start'>): void {
  mkdirSync(dirname(path), { recursive: true });
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, `${JSON.stringify({ ...kept, start: processInfo(kept.pid)?.start ?? '' })}\n`);
  renameSync(draft, path);
}

export function forgetState({ state: path }: Clone): void {
  rmSync(path, { force: true });
}
