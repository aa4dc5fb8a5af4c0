import { sandboxesMax } from '../../../contract/fleet/sandboxes.ts';
import type { SandboxReport } from '../../../contract/fleet/sandboxes.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { Sandbox, SandboxProvider, SandboxStats } from '../sandbox.ts';

/** A beat is not held up by one that does not answer: it is told of as it was seen last. */
const statsMsMax = 1_000;
const unseen: SandboxStats = { state: 'frozen', processes: 0, memoryBytes: 0, cpuMs: 0, workspaceBytes: undefined };

interface Looks {
  readonly sandboxes: Pick<SandboxProvider, 'list'>;
  readonly clock: Clock;
}

/** The sandboxes of a worker as its beats tell of them, at most `sandboxesMax`. Never throws, and takes at most a second. */
export function createSandboxReports({ sandboxes, clock }: Looks): () => Promise<readonly SandboxReport[]> {
  let seen = new Map<string, SandboxStats>();

  return async () => {
    const there = sandboxes.list().slice(0, sandboxesMax);
    const over = new AbortController();
    const late = clock.sleep(statsMsMax, over.signal).then(() => undefined);
    const looks = there.map(async sandbox => {
      const stats = await Promise.race([sandbox.stats().catch(() => undefined), late]);
      return [sandbox, stats ?? { ...(seen.get(sandbox.id) ?? unseen), state: 'frozen' as const }] as const;
    });
    const looked = await Promise.all(looks);
    over.abort();
    seen = new Map(looked.map(([{ id }, stats]) => [id, stats]));
    return looked.map(([sandbox, stats]) => reportOf(sandbox, stats));
  };
}

function reportOf({ id, limits, madeAtMs }: Sandbox, { state, ...use }: SandboxStats): SandboxReport {
  return {
    id,
    run_id: runOfSandbox(id),
    // What has no process has nothing to do at this moment: between two commands every sandbox is so.
    state: state === 'gone' ? 'idle' : state,
    made_at: new Date(madeAtMs).toISOString(),
    limits: {
      memory_bytes: Math.round(limits.memoryBytes),
      process_count: Math.round(limits.processCount),
      cpu_count: limits.cpuCount,
      tmp_bytes: Math.round(limits.tmpBytes),
      workspace_bytes: Math.round(limits.workspaceBytes),
    },
    use: {
      memory_bytes: Math.round(use.memoryBytes),
      processes: use.processes,
      cpu_ms: Math.round(use.cpuMs),
      workspace_bytes: use.workspaceBytes === undefined ? null : Math.round(use.workspaceBytes),
    },
  };
}

/** Another lease of the same run gets another sandbox. */
export function sandboxOfRun(runId: string, fence: number): string {
  return `${runId}-${fence}`;
}

function runOfSandbox(id: string): string | null {
  return /^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})-\d+$/.exec(id)?.[1] ?? null;
}
