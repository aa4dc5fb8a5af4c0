import { waysBeside, isWay } from './ways/beside.ts';
import { measureWays } from './ways/index.ts';
import { copiesFigures, dependenciesFigures, idleFigure, killFigure, queueFigures, wayFigures } from './figures/index.ts';
import type { Figure } from './figures/index.ts';
import type { Measure } from './asked.ts';
import { benchLimits, coldWay, warmWay } from './ways/provided.ts';
import type { Means } from './ways/provided.ts';
import type { Lacking, Way } from './ways/way.ts';
import type { Measured } from './ways/index.ts';

export interface Outcome {
  readonly ways: readonly Measured[];
  readonly figures: readonly Figure[];
  readonly lacking: readonly Lacking[];
}

/** All of it, one thing after another: two at once would make each other slow. */
export async function measure(asked: Measure): Promise<Outcome> {
  const { cold, warm } = await oursReady(asked);
  const beside = waysBeside(asked.program, asked);
  const measured = await measureWays([...beside.filter(isWay), cold, warm], asked);
  const ours = await measureOurs(asked);
  return {
    ways: measured.ways,
    figures: [...wayFigures(measured.ways, { cold: coldName, warm: warmName }), ...ours.figures],
    lacking: [...beside.flatMap(way => (isWay(way) ? [] : [way])), ...measured.lacking, ...ours.lacking],
  };
}

/** What is measured of Skep's sandboxes beside how they start. */
export async function measureOurs(asked: Measure): Promise<Pick<Outcome, 'figures' | 'lacking'>> {
  const { means, warm } = await oursReady(asked);
  const figures: Figure[] = [];
  const lacking: Lacking[] = [];
  const parts = [
    { name: 'twice as many as are warm', of: () => queueFigures(warm, asked) },
    { name: 'memory of one that is idle', of: () => idleFigure(means, asked) },
    { name: 'the end of one', of: () => killFigure(means, asked) },
    { name: 'working copies', of: () => copiesFigures(means, asked) },
    { name: 'cached dependencies', of: () => dependenciesFigures(means, asked) },
  ];
  for (const { name, of } of parts) {
    asked.say(name);
    try {
      figures.push(...(await of()));
    } catch (error) {
      asked.signal.throwIfAborted();
      lacking.push({ name, why: error instanceof Error ? error.message : String(error) });
    }
  }
  return { figures, lacking };
}

/** The first one finds out what the machine has. */
async function oursReady({ place: { provider }, program }: Measure): Promise<{ means: Means; cold: Way; warm: Way }> {
  const means: Means = { provider, program, limits: benchLimits };
  const cold = coldWay(coldName, means);
  await (await cold.start()).end();
  return { means, cold, warm: warmWay(warmName, means) };
}

const coldName = 'Skep, cold';
const warmName = 'Skep, warm';
