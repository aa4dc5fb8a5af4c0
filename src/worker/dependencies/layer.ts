import type { Snapshot } from '../sandbox.ts';

/** What a setup command has left, for sandboxes to begin with. */
export interface Layer {
  readonly snapshot: Snapshot;
  /** For git, where each entry of it lies: none of it is an agent's work. */
  readonly exclude: string;
  readonly bytes: number;
}

/** A layer in somebody's hands: until it is given back it stays. */
export interface Taken extends Layer {
  release(): void;
}
