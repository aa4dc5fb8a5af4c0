import type { Clock } from '../../kernel/clock.ts';
import type { Log } from '../../kernel/log.ts';
import type { Orphan, SandboxProvider } from '../sandbox.ts';
import type { LeftNote, Notes } from './notes.ts';
import type { Outbox } from './outbox.ts';
import { rescue } from './rescue.ts';

interface Reaper {
  /** Goes once over what dead workers have left. One at a time. */
  reap(signal: AbortSignal): Promise<void>;
}

interface Options {
  readonly sandboxes: SandboxProvider;
  readonly notes: Notes;
  readonly outbox: Outbox;
  readonly clock: Clock;
  readonly log: Log;
}

/** Workspaces whose work could not be rescued are kept so long and no longer, and so many, the newest. */
const keptMsMax = 7 * 86_400_000;
const keptMax = 20;
/** Between two tries at the same one: most of what stands in the way, such as a full disk, is not gone in a moment. */
const tryAgain = { firstMs: 30_000, longestMs: 600_000 };

export function createReaper({ sandboxes, notes, outbox, clock, log }: Options): Reaper {
  const failed = new Map<string, { times: number; nextMs: number }>();

  /** Whether its workspace can be removed. */
  async function bringHome(orphan: Orphan, { note }: LeftNote, signal: AbortSignal): Promise<boolean> {
    const before = failed.get(orphan.id);
    if (note.work === undefined) return true;
    if (before !== undefined && clock.mono() < before.nextMs) return false;
    try {
      const sandbox = await orphan.open(note.work.limits);
      await rescue(sandbox, note.work, { files: outbox.filesOf(note), signal });
      failed.delete(orphan.id);
      return true;
    } catch (error) {
      if (signal.aborted) return false;
      const times = (before?.times ?? 0) + 1;
      failed.set(orphan.id, { times, nextMs: clock.mono() + Math.min(tryAgain.longestMs, tryAgain.firstMs * 2 ** (times - 1)) });
      log.error(
        { sandbox: orphan.id, error: String(error) },
        'the work of a run whose worker died could not be rescued; its workspace stays',
      );
      return false;
    }
  }

  return {
    async reap(signal) {
      const left = new Map(notes.left().map(each => [each.id, each]));
      const kept = new Set<string>();
      const count = await sandboxes.reapOrphans(async orphan => {
        const note = left.get(orphan.id);
        if (note === undefined || (await bringHome(orphan, note, signal))) return 'remove';
        if (!signal.aborted && (orphan.ageMs > keptMsMax || kept.size >= keptMax)) {
          log.error({ sandbox: orphan.id }, 'a workspace that could not be rescued is removed: it is too old, or one too many');
          return 'remove';
        }
        kept.add(orphan.id);
        return 'keep';
      });
      if (count > 0) log.warn({ orphans: count }, 'sandboxes that another worker had left were removed');
      for (const [id, note] of left) if (!kept.has(id)) outbox.add(note);
    },
  };
}
