import type { MadeCall } from '../../conversation/index.ts';

/** What a model has answered, in words of no wire. */
export interface Heard {
  readonly text: string;
  readonly calls: readonly MadeCall[];
}

/** How a wire's answers are read. Undefined for an answer that did not come to its end. */
export interface Listener {
  whole(document: Readonly<Record<string, unknown>>): Heard | undefined;
  /** `events`: the data of each event that is JSON, in order. */
  stream(events: readonly Readonly<Record<string, unknown>>[]): Heard | undefined;
}
