import { randomBytes } from 'node:crypto';
import type { Clock } from '../../../kernel/clock.ts';
import { Fault } from '../../../kernel/fault.ts';
import type { Log } from '../../../kernel/log.ts';
import type { SandboxLimits, SandboxProbe, SandboxProvider, Settle } from '../../../worker/sandbox.ts';
import { checkLimits } from '../limits.ts';
import { createLiving } from '../living.ts';
import { reap } from '../orphans.ts';
import { createSnapshots } from '../snapshots.ts';
import { adoptSandbox, makeSandbox } from './home.ts';
import type { Home } from './home.ts';

interface Prepared {
  readonly home: Home;
  readonly worth: Extract<SandboxProbe, { ok: true }>['worth'];
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

  /** One real sandbox before the first one that is asked for, so that a machine which cannot make any says so at once. */
  function proof(): Promise<void> {
    proven ??= tryOut().catch((error: unknown) => {
      proven = undefined;
      throw error;
    });
    return proven;
  }

  async function tryOut(): Promise<void> {
    const { home } = await ready();
    const id = `probe-${randomBytes(4).toString('hex')}`;
    const sandbox = await makeSandbox(home, { id, limits: PROBE_LIMITS, files: [], folders: [] });
    try {
      const exit = await sandbox.exec({ argv: ['true'], timeoutMs: PROBE_MS_MAX, outputBytesMax: 65_536, onOutput: () => {} });
      if (exit.reason !== 'exited' || exit.code !== 0)
        throw new Fault('sandbox_unavailable', { message: `"true" in a sandbox ended by ${JSON.stringify(exit)}` });
    } finally {
      await sandbox.kill();
    }
  }

  return {
    kind,
    async probe() {
      try {
        proven = undefined;
        await proof();
        const { worth, facts } = await ready();
        return { ok: true, worth, facts: await facts() };
      } catch (error) {
        const hint = (error instanceof Fault && error.hint) || 'no known remedy; the words above are the whole story';
        return { ok: false, why: error instanceof Error ? error.message : String(error), hint };
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
    layers: async () => (await ready().catch(() => undefined))?.home.disks?.canStack === true,
    async prewarm(limits, count) {
      checkLimits(limits);
      await (await ready().catch(() => undefined))?.home.disks?.prepare(limits.workspaceBytes, count);
    },
    async reapOrphans(settle = removeAll) {
      const { home, sweep } = await ready();
      home.disks?.reap();
      await sweep();
      const count = await reap({ ...home, adopt: left => adoptSandbox(home, left) }, settle);
      if (count > 0) log.info({ count }, 'removed sandboxes that dead workers had left');
      return count;
    },
  };
}

const removeAll: Settle = () => Promise.resolve('remove');
const PROBE_MS_MAX = 30_000;
const PROBE_LIMITS: SandboxLimits = {
  memoryBytes: 256 * 2 ** 20,
  processCount: 16,
  cpuCount: 1,
  tmpBytes: 2 ** 20,
  workspaceBytes: 16 * 2 ** 20,
};
