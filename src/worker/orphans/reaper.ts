import type { Clock } from '../../kernel/clock.ts';
import { failpoint } from '../../kernel/failpoint.ts';
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
/** For the first try at one, and twice as long for each further: a repository that never answers must not hold up the others. */
const rescueMs = { first: 60_000, longest: 600_000 };
/** Between two tries at the same one: most of what stands in the way, such as a full disk, is not gone in a moment. */
const tryAgain = { firstMs: 30_000, longestMs: 600_000 };

export function createReaper({ sandboxes, notes, outbox, clock, log }: Options): Reaper {
  const failed = new Map<string, { times: number; nextMs: number }>();

  /** Whether its workspace can be removed. */
  async function bringHome(orphan: Orphan, { note }: LeftNote, signal: AbortSignal): Promise<boolean> {
    const before = failed.get(orphan.id);
    if (note.work === undefined) return true;
    if (before !== undefined && clock.mono() < before.nextMs) return false;
    const limit = limited(signal, { clock, ms: Math.min(rescueMs.longest, rescueMs.first * 2 ** (before?.times ?? 0)) });
    try {
      const sandbox = await orphan.open(note.work.limits);
      await rescue(sandbox, note.work, { files: outbox.filesOf(note), signal: limit.signal });
      failpoint('orphan-rescued');
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
    } finally {
      limit.unlink();
    }
  }

  return {
    async reap(signal) {
      const left = new Map(notes.left().map(each => [each.id, each]));
      let settled: LeftNote | undefined;
      let keptCount = 0;

      /** The folder of the one before is removed by now: its server need not wait for the others. */
      function tellOfSettled(): void {
        if (settled !== undefined) outbox.add(settled);
        settled = undefined;
      }

      async function settle(orphan: Orphan): Promise<'remove' | 'keep'> {
        tellOfSettled();
        // A worker may have died since: its note is there before its sandbox.
        const note = left.get(orphan.id) ?? notes.left().find(({ id }) => id === orphan.id);
        if (note === undefined) return 'remove';
        left.delete(orphan.id);
        if (!(await bringHome(orphan, note, signal))) {
          if (signal.aborted || (orphan.ageMs <= keptMsMax && keptCount < keptMax)) {
            keptCount += 1;
            return 'keep';
          }
          log.error({ sandbox: orphan.id }, 'a workspace that could not be rescued is removed: it is too old, or one too many');
        }
        settled = note;
        return 'remove';
      }

      const count = await sandboxes.reapOrphans(settle);
      tellOfSettled();
      if (count > 0) log.warn({ orphans: count }, 'sandboxes that another worker had left were removed');
      for (const note of left.values()) outbox.add(note);
    },
  };
}

/** Aborted with `signal`, and after `ms`. */
function limited(signal: AbortSignal, { clock, ms }: { clock: Clock; ms: number }): { signal: AbortSignal; unlink(): void } {
  const limit = new AbortController();
  const over = new AbortController();
  const onAbort = (): void => limit.abort(signal.reason);
  if (signal.aborted) onAbort();
  signal.addEventListener('abort', onAbort, { once: true });
  void clock.sleep(ms, over.signal).then(() => limit.abort(new Error(`it took more than ${ms} ms`)));
  return {
    signal: limit.signal,
    unlink() {
      signal.removeEventListener('abort', onAbort);
      over.abort();
    },
  };
}
