import { Run, type Values, type World } from '../sql/run.ts';
import type { Value } from '../storage/types.ts';

/** One call of a PL/pgSQL function. */
export class Frame {
  readonly world: World;
  /** By the parser's numbers: arguments, what is declared, FOUND. */
  readonly variables: Value[];
  /** Of RETURN QUERY. */
  readonly rows: Values[] = [];
  result: Value = null;
  affected = 0;

  constructor(world: World, variables: Value[]) {
    this.world = world;
    this.variables = variables;
  }

  run(): Run {
    return new Run(this.world, { variables: this.variables });
  }
}

/** How a statement ends, where the next one is not to follow. */
type Signal = 'return' | 'exit' | 'continue' | undefined;
export type Step = (frame: Frame) => Signal;
