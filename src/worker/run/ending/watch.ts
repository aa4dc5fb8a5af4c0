import type { Sandbox, SandboxStats } from '../../sandbox.ts';
import type { Run } from '../run.ts';

/** Looks after the sandbox of an agent that works: one that does nothing any more would hold its run until its time is over. */
export interface Watch {
  /** The agent runs: from now on there is a look at every heartbeat. Before, a start may take as long as it does. */
  begin(): void;
  /** It has printed something. */
  heard(): void;
  /** Why it is held to be stuck; undefined where it is not. */
  readonly stuck: string | undefined;
  end(): void;
}

interface Watched {
  readonly sandbox: Pick<Sandbox, 'stats'>;
  /** Whether a call of the agent is being answered: whoever waits for a model or for a person is not stuck. */
  readonly isCalling: () => boolean;
  /** Called once. */
  readonly onStuck: () => void;
}

/** One look after another that finds it frozen: the first warns, after the second it is degraded, with the third it is stuck. */
const frozenLooksMax = 3;
/** Without a word, a call or any use of a processor. Longer than any command that waits for something should. */
const silentMsMax = 600_000;

export function watchSandbox(run: Pick<Run, 'claimed' | 'tools' | 'reports'>, watched: Watched): Watch {
  const { clock, log } = run.tools;
  const everyMs = run.claimed.lease.heartbeat_ms;
  const over = new AbortController();
  let frozenLooks = 0;
  // Counted in looks: while the worker itself was stopped, nobody has seen the silence.
  let silentMs = 0;
  let lastCpuMs: number | undefined;
  let wasHeard = false;
  let stuck: string | undefined;

  async function watch(): Promise<void> {
    for (;;) {
      await clock.sleep(everyMs, over.signal);
      if (over.signal.aborted) return;
      judge(await watched.sandbox.stats());
      if (stuck === undefined) continue;
      log.warn({ why: stuck }, 'the sandbox of an agent does nothing any more');
      return watched.onStuck();
    }
  }

  function judge(health: SandboxStats): void {
    const hasWorked = lastCpuMs !== undefined && health.cpuMs !== lastCpuMs;
    lastCpuMs = health.cpuMs;
    silentMs = hasWorked || wasHeard || watched.isCalling() ? 0 : silentMs + everyMs;
    wasHeard = false;
    const wasFrozen = frozenLooks;
    // On a slow disk all may wait at each look, and get on in between.
    frozenLooks = health.state === 'frozen' && !hasWorked ? frozenLooks + 1 : 0;
    if (frozenLooks !== wasFrozen) tell(health);
    if (frozenLooks >= frozenLooksMax) stuck = `its processes (${health.processes}) are all stopped`;
    else if (silentMs >= silentMsMax)
      stuck = `it has said nothing, called nothing and used no processor for ${silentMsMax / 60_000} minutes`;
  }

  function tell({ state, processes, memoryBytes, cpuMs }: SandboxStats): void {
    const type = ['sandbox.well', 'sandbox.warned', 'sandbox.degraded', 'sandbox.unresponsive'][frozenLooks] ?? '';
    run.reports.add(type, { state, processes, memory_bytes: memoryBytes, cpu_ms: cpuMs });
  }

  return {
    begin: () => void watch(),
    heard: () => void (wasHeard = true),
    get stuck() {
      return stuck;
    },
    end: () => over.abort(),
  };
}
