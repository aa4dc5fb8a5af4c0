import type { World } from '../world.ts';

/** Makes a server come by a point, and sees to the end what it has begun, through the server's death. */
export type Provoke = (world: World) => Promise<void>;
