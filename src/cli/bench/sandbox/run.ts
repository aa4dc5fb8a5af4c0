import type { Command } from 'commander';
import { accessSync, constants, statSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { dirname, resolve } from 'node:path';
import { machineCommand } from '../../agent/place.ts';
import { usage, whole } from '../../command.ts';
import type { World } from '../../context.ts';
import { Fault } from '../../../kernel/fault.ts';
import { Interrupted } from '../../report.ts';
import { measure } from './measure.ts';
import { copyLimits } from './figures/copies.ts';
import { openPlace } from './place.ts';
import { benchLimits } from './ways/provided.ts';
import { documentOf, printReport } from './report.ts';
import type { Machine, Report } from './report.ts';
import { picture } from './svg.ts';
import { tinyProgram } from './ways/tiny.ts';

interface Options {
  readonly json?: boolean;
  readonly home?: string;
  readonly count: number;
  readonly svg?: string;
}

const usualCount = 100;
const countMax = 1_000;

export function benchSandbox(world: World): Command {
  return machineCommand({
    name: 'sandbox',
    description:
      'See how quick sandboxes are on this machine, beside a plain process and what they are made of: cold, warm, many at once, with a working copy, what they take and how they end. A minute or two; Ctrl-C ends it and leaves nothing',
    examples: ['skep bench sandbox', 'skep bench sandbox --count 20 --svg sandboxes.svg'],
  })
    .option(
      '--count <n>',
      'how many of each, one after another and at once; goals are told for 100',
      whole(1, countMax),
      usualCount,
    )
    .option('--svg <file>', 'a picture of how long each start took')
    .action(async (options: Options) => bench(world, options));
}

async function bench(world: World, { home: given, count, json = false, svg }: Options): Promise<void> {
  const { SKEP_HOME: home, SKEP_SANDBOX: kind } = await world.settings({ SKEP_HOME: given });
  const file = svg === undefined ? undefined : resolve(world.cwd, svg);
  if (file !== undefined) checkFolder(dirname(file));
  const machine: Machine = { kind, cores: cpus().length, load: loadavg()[0] ?? 0 };
  const report: Report = { machine, count, ...(await measured(world, { home, kind, count })) };
  if (json) world.out.write(`${JSON.stringify(documentOf(report))}\n`);
  else printReport(world.out, report);
  const title = `Starting a sandbox: ${machine.cores} cores, load ${machine.load.toFixed(1)}`;
  if (file !== undefined) writeFileSync(file, picture(report.ways, title));
}

interface Asked {
  readonly home: string;
  readonly kind: string;
  readonly count: number;
}

async function measured(world: World, { home, kind, count }: Asked): Promise<Omit<Report, 'machine' | 'count'>> {
  const { clock, err } = world;
  const place = await openPlace({ home, kind, clock });
  const program = await tinyProgram(clock);
  const stopping = new AbortController();
  void world.stopRequested().then(() => stopping.abort(new Interrupted()));
  try {
    const probe = await place.provider.probe();
    if (!probe.ok) throw new Fault('sandbox_unavailable', { message: probe.why, hint: probe.hint });
    const say = (what: string) => void (err.isTerminal && err.write(`measuring: ${what}\n`));
    const outcome = await measure({ place, program, count, clock, signal: stopping.signal, say });
    return { program: program.is, facts: probe.facts, ...outcome };
  } finally {
    await place.clear([benchLimits, copyLimits(benchLimits)]);
    program.remove();
  }
}

/** A minute of measuring is not to end in a picture that nobody can save. */
function checkFolder(folder: string): void {
  try {
    accessSync(folder, constants.W_OK);
    if (statSync(folder).isDirectory()) return;
  } catch {
    // Said below.
  }
  throw usage(`--svg: ${folder} is no folder that can be written to`);
}
