import type { RuleName } from './oracle/rules.ts';
import { simulate, type SimulateOptions } from './simulate.ts';
import { faultsOn, type Less, optionsOf } from './world/options.ts';

/** The least of a failing seed: what can be taken away while the same rule is still broken. */
export async function shrink(seed: number, rule: RuleName, how: SimulateOptions = {}): Promise<Less> {
  let less: Less = {};
  const breaks = async (tried: Less): Promise<boolean> => {
    const { violation } = await simulate(seed, { ...how, less: tried });
    return violation?.rule === rule;
  };
  const keepIf = async (tried: Less): Promise<void> => {
    if (await breaks(tried)) less = tried;
  };
  await keepIf({ ...less, isSilent: true });
  for (const fault of faultsOn(optionsOf(seed))) await keepIf({ ...less, without: [...(less.without ?? []), fault] });
  for (const part of ['tickets', 'workers', 'servers'] as const) {
    for (let count = 1; count < optionsOf(seed, less)[part]; count++) {
      const tried = { ...less, [part]: count };
      if (!(await breaks(tried))) continue;
      less = tried;
      break;
    }
  }
  for (let { horizonMs } = optionsOf(seed, less); horizonMs > 1_000; ) {
    const tried = { ...less, horizonMs: Math.round(horizonMs / 2) };
    if (!(await breaks(tried))) break;
    less = tried;
    horizonMs = tried.horizonMs;
  }
  return less;
}
