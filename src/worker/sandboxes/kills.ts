import type { Log } from '../../kernel/log.ts';
import type { SandboxProvider } from '../sandbox.ts';

/** Sandboxes that people want killed. */
export interface Kills {
  /** As a beat was told. Said again, it changes nothing. */
  hear(kills: readonly { readonly id: string; readonly by: string }[]): void;
  /** Who had that sandbox killed. */
  by(sandboxId: string): string | undefined;
}

/** Kept to say why a run ended; that is soon after. */
const keptMax = 1_000;

export function createKills(sandboxes: Pick<SandboxProvider, 'get'>, log: Log): Kills {
  const killers = new Map<string, string>();

  function kill(id: string, by: string): void {
    const sandbox = sandboxes.get(id);
    if (sandbox === undefined) return;
    if (!killers.has(id)) log.warn({ sandbox: id, by }, 'a person has this sandbox killed');
    killers.set(id, by);
    for (const oldest of killers.keys()) if (killers.size > keptMax) killers.delete(oldest);
    void sandbox.kill().catch((error: unknown) => {
      log.error({ sandbox: id, error: String(error) }, 'a sandbox that is to be killed could not be; the next beat tries again');
    });
  }

  return {
    hear(kills) {
      for (const { id, by } of kills) kill(id, by);
    },
    by: sandboxId => killers.get(sandboxId),
  };
}
