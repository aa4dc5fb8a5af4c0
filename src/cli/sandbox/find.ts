import { vmList } from '../../../contract/fleet/vms.ts';
import type { WireVm } from '../../../contract/fleet/vms.ts';
import { Fault } from '../../kernel/fault.ts';
import { usage } from '../command.ts';
import type { Context } from '../context.ts';

/**
 * The one of them whose id is this, or begins so. Throws Fault `sandbox_not_found` where none does, `invalid_request` where several do.
 */
export function pick<T extends { readonly id: string }>(given: string, all: readonly T[]): T {
  const matching = all.filter(({ id }) => id.startsWith(given));
  const [only, second] = matching;
  const exact = matching.find(({ id }) => id === given) ?? (second === undefined ? only : undefined);
  if (exact !== undefined) return exact;
  if (only === undefined) throw noSandbox(given);
  const some = matching.slice(0, 5).map(({ id }) => id);
  throw usage(`${given} is the beginning of ${matching.length} sandboxes`, `Give more of it: ${some.join(', ')}`);
}

/** A sandbox by its id or the beginning of it, as the server knows it. */
export async function findVm({ client }: Context, given: string): Promise<WireVm> {
  const query = { prefix: checked(given) };
  const { vms } = await client.request('GET', '/api/vms', { query, schema: vmList });
  return pick(given, vms);
}

/** What can be the beginning of an id. */
export function checked(given: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9.-]{0,99}$/.test(given)) return given;
  throw usage(`'${given}' is no id of a sandbox`, 'See: skep sandbox list');
}

function noSandbox(given: string): Fault {
  return new Fault('sandbox_not_found', { message: `No sandbox begins with ${given}`, hint: 'See: skep sandbox list' });
}
