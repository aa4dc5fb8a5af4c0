import type { Clock } from '../../../kernel/clock.ts';
import type { Log } from '../../../kernel/log.ts';
import type { Lack, SandboxProvider, Settle } from '../../../worker/sandbox.ts';
import type { Worth } from '../lacks.ts';
import { checkLimits } from '../limits.ts';
import { createLiving } from '../living.ts';
import { reap } from '../orphans.ts';
import { createSnapshots } from '../snapshots.ts';
import { tryOut, refusalOf } from '../trial.ts';
import { adoptSandbox, makeSandbox } from './home.ts';
import type { Home } from './home.ts';

interface Prepared {
  readonly home: Home;
  readonly worth: Worth;
  readonly lacks: readonly Lack[];
  /** What to do where a sandbox is made and the first program in it fails. */
  readonly mend: string;
  facts(): Promise<Readonly<Record<string, string>>>;
  /** Ends what of dead workers still runs, before their folders are looked at. */
  sweep(): Promise<void>;
}

interface Options {
  readonly kind: SandboxProvider['kind'];
  readonly clock: Clock;
  readonly log: Log;
  /** Finds what is needed. What was found is kept; what was missing is looked for again. */
  readonly prepare: () => Promise<Prepared>;
}

/** A provider whose sandboxes are brought about by a starter. */
export function createProvider({ kind, log, prepare }: Options): SandboxProvider {
  const living = createLiving();
  let prepared: Promise<Prepared> | undefined;
  let proven: Promise<void> | undefined;
  let snapshots: ReturnType<typeof createSnapshots> | undefined;

  function ready(): Promise<Prepared> {
    prepared ??= prepare().catch((error: unknown) => {
      prepared = undefined;
      throw error;
    });
    return prepared;
  }

  async function tried(): Promise<void> {
    const { home, mend } = await ready();
    await tryOut(spec => makeSandbox(home, spec), mend);
  }

  /** One real sandbox before the first one that is asked for, so that a machine which cannot make any says so at once. */
  function proof(): Promise<void> {
    proven ??= tried().catch((error: unknown) => {
      proven = undefined;
      throw error;
    });
    return proven;
  }

  return {
    kind,
    async probe() {
      try {
        proven = undefined;
        await proof();
        const { worth, facts, lacks } = await ready();
        return { ok: true, worth, facts: await facts(), lacks };
      } catch (error) {
        return refusalOf(error);
      }
    },
    async create(spec) {
      await proof();
      const { home } = await ready();
      snapshots ??= createSnapshots(home.folder);
      return living.add(await snapshots.on(home.disks, each => makeSandbox(home, each))(spec));
    },
    list: living.list,
    get: living.get,
    async kept() {
      const { home } = await ready();
      snapshots ??= createSnapshots(home.folder);
      return await snapshots.kept(home.disks);
    },
    layers: async () => (await ready().catch(() => undefined))?.home.disks?.canStack === true,
    async prewarm(limits, count) {
      checkLimits(limits);
      await (await ready().catch(() => undefined))?.home.disks?.prepare(limits.workspaceBytes, count);
    },
    async reapOrphans(settle = removeAll) {
      const { home, sweep } = await ready();
      home.disks?.reap();
      await sweep();
      const count = await reap({ ...home, adopt: left => adoptSandbox(home, left) }, settle, log);
      if (count > 0) log.info({ count }, 'removed sandboxes that dead workers had left');
      return count;
    },
  };
}

const removeAll: Settle = () => Promise.resolve('remove');
