import { project as projectSchema } from '../../../../contract/projects.ts';
import type { WireSession } from '../../../../contract/sessions.ts';
import { isFault } from '../../../kernel/fault.ts';
import { installAgent } from '../../../providers/agents/install/install.ts';
import { installableOf, installables } from '../../../providers/agents/install/packages.ts';
import { addressed } from '../../address.ts';
import { atAnyServer } from '../../place/station.ts';
import type { Station } from '../../place/station.ts';
import { agentsFolder } from '../../worker/parts.ts';
import type { RemoteOptions, World } from '../../world.ts';
import { faultOf, handsOf, worksOf } from './works.ts';

interface Drive {
  readonly world: World;
  readonly options: RemoteOptions;
  readonly signal: AbortSignal;
}

interface Given {
  readonly station: Station;
  readonly session: WireSession;
  readonly tell: (text: string) => void;
}

/**
 * Where the work is done on this machine, each agent that it may come to is installed, and it is said; of one that only stands in, also
 * where it cannot be had. Elsewhere others see to that.
 */
export async function ensureAgents({ world, options, signal }: Drive, { station, session, tell }: Given): Promise<void> {
  if (!station.worksHere) return;
  const hands = await atAnyServer(station, signal, async context => {
    const path = `/api/projects/${session.project_id}`;
    return handsOf(context, await worksOf(context, await context.client.request('GET', path, { schema: projectSchema }), {}));
  });
  const { settings } = await addressed(world, options);
  for (const kind of installables) {
    const hand = hands.find(({ agent }) => installableOf(agent) === kind);
    if (hand === undefined) continue;
    try {
      await installAgent(kind, { folder: agentsFolder(settings), clock: world.clock, onStep: tell, signal });
    } catch (error) {
      signal.throwIfAborted();
      if (!isFault(error)) throw error;
      const fault = faultOf(hand, 'agent.kind', error);
      if (!hand.isSpare) throw fault;
      tell(fault.message);
    }
  }
}
