import type { Environment } from '../../config.ts';
import type { World } from '../world.ts';
import type { Clone, Places } from './places.ts';

/**
 * The settings of a demo. Whatever server, database, key or model is set in the environment is no part of it: what is empty counts
 * as not set.
 */
export function demoSettings({ recording, agents }: Clone, { home }: Places, { slots, isChaotic }: Shape): Environment {
  return {
    SKEP_HOME: home,
    SKEP_RECORDING: recording,
    SKEP_AGENTS: agents,
    SKEP_WORKER_SLOTS: String(slots),
    ...Object.fromEntries(notForDemos.map(name => [name, ''])),
    // What is killed is missed sooner than usual: a demo that waits is none.
    ...(isChaotic ? { SKEP_LEASE_MS: '5000', SKEP_HEARTBEAT_MS: '1000' } : {}),
  };
}

interface Shape {
  readonly slots: number;
  readonly isChaotic: boolean;
}

const notForDemos = [
  'DATABASE_URL',
  'SKEP_DB_PORT',
  'SKEP_SERVER',
  'SKEP_TOKEN',
  'SKEP_HOST',
  'SKEP_MODELS',
  'SKEP_RECORD_TO',
  'SKEP_FAILPOINTS',
  // No provider but the recorded one: a demo costs nothing.
  'ANTHROPIC_API_KEY',
  'OPENAI_API_KEY',
  'GEMINI_API_KEY',
  'SKEP_ATTEMPTS_MAX',
  'SKEP_REVIEW_ROUNDS_MAX',
];

/** The same world, in which these settings hold whatever the environment says. */
export function worldWith(world: World, settings: Environment): World {
  return {
    ...world,
    settings: given => {
      const typed = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
      return world.settings({ ...settings, ...typed });
    },
  };
}
