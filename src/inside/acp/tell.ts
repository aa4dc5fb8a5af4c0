import type { AcpEvent } from '../../worker/host/acp-turn.ts';

/** To the worker. */
export function tell(event: AcpEvent): void {
  process.stdout.write(`${JSON.stringify(event)}\n`);
}
