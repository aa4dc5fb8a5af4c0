import type { Scalar } from './scalar.ts';
import { valueFunctions } from './values.ts';
import { worldFunctions } from './world.ts';

/** Built-in functions that give one value, by name. */
export const scalars: ReadonlyMap<string, Scalar> = new Map([
  ...Object.entries(valueFunctions),
  ...Object.entries(worldFunctions),
]);

export { aggregates, takingNulls } from './aggregates.ts';
export { setFunctions } from './sets.ts';
