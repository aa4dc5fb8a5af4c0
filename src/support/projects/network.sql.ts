import type { NetworkRule } from '../../../contract/network/rules.ts';
import { statement } from '../../db/statement.ts';

/** The rules of a project as they are, and stay until the transaction ends. */
export const holdNetwork = statement<{ network: NetworkRule[] }>(
  'hold_network',
  'select network from projects where tenant_id = $1 and id = $2 for no key update',
);

export const setNetwork = statement<{ id: string }>(
  'set_network',
  'update projects set network = $3::jsonb, updated_at = now() where tenant_id = $1 and id = $2 returning id',
);
