import type { World } from '../world.ts';
import type { Clone, Places } from './places.ts';

/** Those that the recording was made for. */
export const demoAgents = ['codex', 'pi'] as const;

export interface DemoOptions {
  readonly agent: (typeof demoAgents)[number];
  readonly yes?: boolean;
  readonly chaos?: boolean;
  readonly resume?: boolean;
  readonly keep?: boolean;
  readonly stop?: boolean;
  readonly plain?: boolean;
  readonly json?: boolean;
}

/** One demo, from its first word to its last. */
export interface Demo {
  readonly world: World;
  readonly clone: Clone;
  readonly places: Places;
  readonly options: DemoOptions;
  readonly isResumed: boolean;
}

/** As the provider of recordings calls what it plays. */
export const demoModel = 'recorded/demo';

/** As many as can be seen at once; the recorded graph is four wide. */
export const demoSlots = 4;
