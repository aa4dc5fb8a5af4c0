import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { dirname, join } from 'node:path';
import { isWay, waysBeside } from '../../src/cli/bench/sandbox/ways/beside.ts';
import { measureWay, type Measured } from '../../src/cli/bench/sandbox/ways/index.ts';
import { benchLimits, coldWay, warmWay } from '../../src/cli/bench/sandbox/ways/provided.ts';
import { type Program, tinyProgram } from '../../src/cli/bench/sandbox/ways/tiny.ts';
import type { Lacking, Way } from '../../src/cli/bench/sandbox/ways/way.ts';
import { picture } from '../../src/cli/bench/sandbox/svg.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { createLocalSandboxes } from '../../src/providers/sandboxes/local/index.ts';
import { type Bench, type Figure, figure, latency, type Stage } from '../harness/bench.ts';
import { build } from '../harness/processes.ts';
import { floorFigures } from './floor.ts';
import { sandboxHome } from './home.ts';
import { issueFigures } from './ours.ts';
import { containerWays } from './peers.ts';
import { runtimeWay } from './runtime.ts';
import { waitingWay } from './waiting.ts';

const rounds = 3;
const count = 100;
/** Of one way in one round: what is slow is measured less often. */
const bounds = { oneByOneMsMax: 4_000, atOnceMsMax: 8_000 };

export const sandbox: Bench = {
  name: 'sandbox',
  about: `Starting a sandbox, to the first instruction in it: plain process, unshare, bubblewrap, containers, a process that waits, ${count} one by one and at once, and ours cold and warm.`,
  async run(stage) {
    build();
    const program = await tinyProgram(systemClock);
    stage.atEnd(async () => program.remove());
    const home = sandboxHome(stage);
    const { signal } = new AbortController();
    const { ways, lacking } = await allWays({ stage, program, home, signal });
    for (const { name, why } of lacking) stage.say(`not here: ${name}: ${why}`);
    const measured = await inTurns({ stage, ways, signal });
    const drawn = measured.map(each => ({ ...each[0], startMs: each.flatMap(({ startMs }) => startMs) }));
    draw(drawn);
    const floor = await floorFigures({ stage, home, rounds, count });
    return [...measured.flatMap(figuresOf), ...floor, ...(await issueFigures({ stage, program, home }))];
  },
};

interface Place {
  readonly stage: Stage;
  readonly program: Program;
  readonly home: string;
  readonly signal: AbortSignal;
}

async function allWays({ stage, program, home, signal }: Place): Promise<{ ways: Way[]; lacking: Lacking[] }> {
  const means = (native: boolean) => {
    const folder = join(home, native ? 'compiled' : 'plain');
    mkdirSync(folder);
    const provider = createLocalSandboxes({ folder, clock: systemClock, log: silentLog, native });
    stage.atEnd(async () => {
      await Promise.all(provider.list().map(each => each.kill()));
      await provider.prewarm(benchLimits, 0);
    });
    return { provider, program, limits: benchLimits };
  };
  const [plain, compiled] = [means(false), means(true)];
  const probe = await compiled.provider.probe();
  const isCompiled = probe.ok && probe.facts['launcher'] === 'native';
  const found: (Way | Lacking)[] = [
    ...waysBeside(program, { clock: systemClock, signal }),
    waitingWay(program),
    ...containerWays(stage, program),
    await runtimeWay(stage, program),
    coldWay('Skep, plain way', plain),
    ...(isCompiled
      ? [coldWay('Skep, cold', compiled), warmWay('Skep, warm', compiled)]
      : [{ name: 'Skep by its compiled part', why: 'bin/build makes it, where there is a C compiler and the user is root' }]),
  ];
  return { ways: found.filter(isWay), lacking: found.flatMap(way => (isWay(way) ? [] : [way])) };
}

interface Turns {
  readonly stage: Stage;
  readonly ways: readonly Way[];
  readonly signal: AbortSignal;
}

/** Each round measures every way, so that what else the machine does weighs on all. One that fails is left out, and told. */
async function inTurns({ stage, ways, signal }: Turns): Promise<(readonly [Measured, ...Measured[]])[]> {
  const found = new Map<string, [Measured, ...Measured[]]>();
  const failed = new Set<string>();
  for (let round = 0; round < rounds; round++) {
    for (const way of ways.filter(({ name }) => !failed.has(name))) {
      try {
        const before = found.get(way.name);
        const together = before?.[0].atOnce.count;
        const each = await measureWay(way, { clock: systemClock, signal, count, together, ...bounds });
        if (before === undefined) found.set(way.name, [each]);
        else before.push(each);
      } catch (error) {
        failed.add(way.name);
        stage.say(`${way.name} failed: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    stage.say(`round ${round + 1} of ${rounds}`);
  }
  return [...found.entries()].flatMap(([name, each]) => (failed.has(name) ? [] : [each]));
}

function figuresOf(measured: readonly [Measured, ...Measured[]]): Figure[] {
  const [{ name, atOnce }] = measured;
  const memory = measured.flatMap(({ atOnce: { memoryKb } }) => (memoryKb === undefined ? [] : [memoryKb]));
  const [warm, cold] = [name === 'Skep, warm', name === 'Skep, cold'];
  const goal = warm ? 60 : cold ? 400 : undefined;
  return [
    ...latency(name, { rounds: measured.map(({ startMs }) => startMs) }).map((each, i) =>
      warm ? { ...each, goal: { is: 'at most' as const, value: i === 0 ? 1 : 5 } } : each,
    ),
    figure(`${name}, ${atOnce.count} at once`, 'ms', {
      values: measured.map(({ atOnce }) => atOnce.wallMs),
      ...(goal === undefined || atOnce.count !== count ? {} : { goal: { is: 'at most', value: goal } }),
    }),
    ...(memory.length === 0 ? [] : [figure(`${name}, memory of each`, 'kB PSS', { values: memory })]),
    figure(`${name}, end, p50`, 'ms', {
      values: measured.map(({ endMs }) => latency('', { rounds: [endMs] })[0]?.median ?? Number.NaN),
    }),
  ];
}

/** For people, beside what docs/sandbox.md says. */
const drawnAt = join(import.meta.dirname, '../../docs/pictures/sandbox-starts.svg');

function draw(ways: Parameters<typeof picture>[0]): void {
  const title = `Starting a sandbox: ${cpus().length} cores, load ${(loadavg()[0] ?? 0).toFixed(1)}`;
  mkdirSync(dirname(drawnAt), { recursive: true });
  writeFileSync(drawnAt, picture(ways, title));
}
