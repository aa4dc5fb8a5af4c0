import { createClient } from '../../client/index.ts';
import type { Settings } from '../../config.ts';
import type { Clock } from '../../kernel/clock.ts';
import { Fault } from '../../kernel/fault.ts';
import { createLog } from '../../kernel/log.ts';
import { createWorker } from '../../worker/index.ts';
import type { WorkerChange } from '../../worker/index.ts';
import type { StartCompanion } from '../server/launch.ts';
import { workerParts } from '../worker/parts.ts';
import { createRenewingClient } from './renewing-client.ts';

interface Given {
  readonly clock: Clock;
  readonly onChange: (change: WorkerChange) => void;
}

/** Throws Fault `sandbox_unavailable` before anything is started: a server whose worker can do nothing helps nobody. */
export async function prepareWorker(settings: Settings, { clock, onChange }: Given): Promise<StartCompanion> {
  const { sandboxes } = workerParts({
    client: createClient({ server: settings.SKEP_SERVER, clock }),
    settings,
    clock,
    log: createLog(settings.SKEP_LOG_LEVEL),
  });
  const probe = await sandboxes.probe();
  if (!probe.ok) {
    throw new Fault('sandbox_unavailable', {
      message: `No sandbox can be made here: ${probe.why}`,
      hint: `${probe.hint}. Without a sandbox no agent is run; 'skep server' runs the server alone`,
    });
  }
  return async ({ url, mintToken, log }) => {
    const client = createRenewingClient({ server: url, mintToken, clock });
    const slots = settings.SKEP_WORKER_SLOTS;
    const worker = createWorker({ ...workerParts({ client, settings, clock, log }), slots, onChange });
    await worker.start();
    return {
      description: `up to ${slots} runs at once, in ${sandboxes.kind} sandboxes`,
      stop: graceMs => worker.stop({ graceMs }),
      ended: worker.ended,
    };
  };
}
