import type { Command } from 'commander';
import { isolationLevels, sandboxLimits } from '../../../contract/fleet/sandboxes.ts';
import type { Hold, SandboxWorth } from '../../../contract/fleet/sandboxes.ts';
import { Fault } from '../../kernel/fault.ts';
import type { Lack, SandboxProvider } from '../../worker/index.ts';
import { machineCommand } from '../agent/place.ts';
import type { PlaceOptions } from '../agent/place.ts';
import { startInside } from '../agent/start-inside.ts';
import type { World } from '../context.ts';
import { fields } from '../output/table.ts';
import { printable, styled } from '../output/text.ts';
import { Concluded } from '../report.ts';
import { candidates } from './candidates.ts';
import type { Candidate } from './candidates.ts';
import { lackText, partsText } from './text.ts';

/** What one way of making sandboxes comes to on this machine. */
type Finding = { readonly provider: string; readonly is_set: boolean } & (
  | {
      readonly ok: true;
      readonly worth: SandboxWorth;
      readonly facts: Readonly<Record<string, string>>;
      readonly lacks: readonly Lack[];
      readonly took_ms: number;
    }
  | { readonly ok: false; readonly why: string; readonly mend: string }
);

/** As of a machine on which no sandbox can be made. */
const lackingExitCode = 7;

export function sandboxDoctor(world: World): Command {
  return machineCommand({
    name: 'doctor',
    description:
      'See in which ways sandboxes can be made on this machine, by making one in each, and what they hold back. Exit code 7 where the way that is set cannot',
    examples: ['skep sandbox doctor', 'skep sandbox doctor --json'],
  }).action(async (options: PlaceOptions) => {
    const findings: Finding[] = [];
    for (const candidate of await candidates(world, options.home)) {
      const finding = await look(world, candidate);
      findings.push(finding);
      if (options.json === true) world.out.write(`${JSON.stringify(finding)}\n`);
    }
    if (options.json !== true) world.out.write(`${fields(findings.map(finding => textOf(world, finding)))}\n`);
    if (findings.some(({ is_set, ok }) => is_set && !ok)) throw new Concluded(lackingExitCode);
  });
}

/** One after another: two at once would make each other slow. */
async function look({ clock }: World, { name, isSet, make }: Candidate): Promise<Finding> {
  const which = { provider: name, is_set: isSet };
  try {
    const provider = make();
    const probe = await provider.probe();
    if (!probe.ok) return { ...which, ok: false, why: probe.why, mend: probe.hint };
    const from = clock.mono();
    const { ok, printed } = await startOne(provider);
    const tookMs = Math.round(clock.mono() - from);
    if (!ok)
      return { ...which, ok: false, why: `a small one is made, one of 1 GiB of memory is not: ${printed}`, mend: mendSize };
    const { worth, facts, lacks } = probe;
    return { ...which, ok: true, worth, facts, lacks, took_ms: tookMs };
  } catch (error) {
    const mend = (error instanceof Fault && error.hint) || mendSize;
    return { ...which, ok: false, why: error instanceof Error ? error.message : String(error), mend };
  }
}

const mendSize = '`free -m`, and `df` of SKEP_HOME, say whether memory or the disk has run out';

function startOne(provider: SandboxProvider): ReturnType<typeof startInside> {
  return startInside(provider, { argv: ['true'], folders: [] });
}

function textOf({ out }: World, finding: Finding): readonly [string, string] {
  const name = finding.is_set ? `${finding.provider} (set)` : finding.provider;
  if (!finding.ok) return [name, `${styled(out, 'red', 'no')}  ${printable(finding.why)}\nmend: ${printable(finding.mend)}`];
  const { worth, facts, lacks, took_ms: tookMs } = finding;
  const engine = facts['engine'] === undefined ? '' : `${facts['engine']}; `;
  return [
    name,
    [
      `${styled(out, 'green', 'ok')}  ${printable(engine)}one is made, used and removed in ${tookMs} ms`,
      `isolation: ${worth.isolation}${levelText(worth)}`,
      ...limitLines(worth),
      `network: ${networkText[worth.network]}`,
      ...[partsText(facts), `workspace ${facts['workspace'] ?? ''}`].map(text => printable(text)),
      ...lacks.flatMap(lack => [`- ${printable(lackText(lack))}`, `  mend: ${printable(lack.mend)}`]),
    ].join('\n'),
  ];
}

/** Which projects it is good for. */
function levelText({ isolation }: SandboxWorth): string {
  const offered = isolationLevels.slice(1, isolationLevels.indexOf(isolation) + 1);
  return offered.length === 0
    ? ': only projects that accept none run in it'
    : `: for projects that ask for ${offered.join(' or ')}`;
}

const holdText: Readonly<Record<Hold, string>> = {
  enforced: 'enforced',
  advisory: 'advisory, against accidents alone',
  none: 'not limited',
};

const networkText: Readonly<Record<Hold, string>> = {
  enforced: 'enforced: it reaches nothing but what is opened for it',
  advisory: 'advisory: a program that means to can reach out',
  none: 'open: it reaches what its host reaches',
};

function limitLines({ limits }: SandboxWorth): readonly string[] {
  return (['enforced', 'advisory', 'none'] as const).flatMap(hold => {
    const those = sandboxLimits.filter(limit => limits[limit] === hold);
    return those.length === 0 ? [] : [`${holdText[hold]}: ${those.join(', ')}`];
  });
}
