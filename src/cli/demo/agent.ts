import { installAgent } from '../../providers/agents/install/install.ts';
import { recordedLabel } from '../build/recorded.ts';
import type { Demo } from './options.ts';

/** Makes sure that the agent is there, in the clone and at its one version: the first demo gets it, later ones have it. */
export async function ensureAgent({ world, clone, options }: Demo, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const onStep = (words: string): void => {
    if (options.json === true) world.out.write(`${JSON.stringify({ event: 'note', label: recordedLabel, text: words })}\n`);
    else world.out.write(`${words}\n`);
  };
  await installAgent(options.agent, { folder: clone.agents, clock: world.clock, onStep });
  signal.throwIfAborted();
}
