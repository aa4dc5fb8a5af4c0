import { randomInt } from 'node:crypto';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Client } from '../../client/index.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { Log } from '../../kernel/log.ts';
import { createExecAgent } from '../../providers/agents/exec.ts';
import { createBubblewrap } from '../../providers/sandboxes/bubblewrap/index.ts';
import type { WorkerOptions } from '../../worker/index.ts';

interface Given {
  readonly client: Client;
  /** SKEP_HOME. */
  readonly home: string;
  readonly name?: string | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

/** What a worker of this machine is made of. */
export function workerParts({
  client,
  home,
  name = `${hostname()}-${process.pid}`,
  clock,
  log,
}: Given): Omit<WorkerOptions, 'slots'> {
  return {
    client,
    name,
    sandboxes: createBubblewrap({ folder: join(home, 'sandboxes'), clock, log }),
    agents: [createExecAgent()],
    folder: join(home, 'worker'),
    random: () => randomInt(0, 2 ** 32) / 2 ** 32,
    clock,
    log,
  };
}
