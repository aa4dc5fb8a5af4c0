import { codingAgents, project as projectSchema } from '../../../contract/projects.ts';
import type { WireSession } from '../../../contract/sessions.ts';
import { installAgent } from '../../providers/agents/install/install.ts';
import { addressed } from '../address.ts';
import { atAnyServer } from '../place/station.ts';
import type { Station } from '../place/station.ts';
import type { RemoteOptions, World } from '../world.ts';
import { agentsFolder } from '../worker/parts.ts';

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

/** Where the work is done on this machine, the agent that it needs is installed, and it is said. Elsewhere others see to that. */
export async function ensureAgent({ world, options, signal }: Drive, { station, session, tell }: Given): Promise<void> {
  if (!station.worksHere) return;
  const { agent } = await atAnyServer(station, signal, ({ client }) =>
    client.request('GET', `/api/projects/${session.project_id}`, { schema: projectSchema }),
  );
  const kind = codingAgents.find(each => each === agent?.kind);
  if (kind === undefined) return;
  const { settings } = await addressed(world, options);
  await installAgent(kind, { folder: agentsFolder(settings), clock: world.clock, onStep: tell, signal });
}
