import type { Command } from 'commander';
import { silentLog } from '../../kernel/log.ts';
import { folderInside, installedInside, installables, packages } from '../../providers/agents/install/packages.ts';
import type { Installable } from '../../providers/agents/install/packages.ts';
import { chooseSandboxes } from '../../providers/sandboxes/choose.ts';
import { nodeInside } from '../../worker/index.ts';
import type { SandboxProvider } from '../../worker/index.ts';
import type { World } from '../context.ts';
import { fields } from '../output/table.ts';
import { printable, styled } from '../output/text.ts';
import { Concluded } from '../report.ts';
import { kindArgument, lackingExitCode, machineCommand, placeOf } from './place.ts';
import type { PlaceOptions } from './place.ts';
import { startInside } from './start-inside.ts';

/** One thing that must hold, and how to mend it where it does not. */
interface Finding {
  readonly what: string;
  readonly ok: boolean;
  readonly says: string;
  readonly mend?: string;
}

export function agentDoctor(world: World): Command {
  return machineCommand({
    name: 'doctor',
    description:
      'See whether coding agents can run on this machine, by starting each in a sandbox; every line that is not ok has a mend',
    examples: ['skep agent doctor', 'skep agent doctor codex'],
  })
    .addArgument(kindArgument('[kind]'))
    .action(async (kind: Installable | undefined, options: PlaceOptions) => {
      const { home, sandbox, installs } = await placeOf(world, options);
      const sandboxes = chooseSandboxes(sandbox, { home, clock: world.clock, log: silentLog });
      const place = await placeFindings(sandboxes);
      const canStart = place.every(({ ok }) => ok);
      const findings = [...place];
      for (const each of kind === undefined ? installables : [kind])
        findings.push(await agentFinding(each, { from: installs.find(each), sandboxes: canStart ? sandboxes : undefined }));
      if (options.json === true) world.out.write(findings.map(finding => `${JSON.stringify(finding)}\n`).join(''));
      else world.out.write(`${fields(findings.map(finding => [finding.what, textOf(world, finding)] as const))}\n`);
      if (findings.some(({ ok }) => !ok)) throw new Concluded(lackingExitCode);
    });
}

function textOf({ out }: World, { ok, says, mend }: Finding): string {
  const [word, colour] = ok ? (['ok', 'green'] as const) : (['no', 'red'] as const);
  return `${styled(out, colour, word)}  ${printable(says)}${mend === undefined ? '' : `\nmend: ${printable(mend)}`}`;
}

/** What every agent needs: a sandbox, and Node in it. */
async function placeFindings(sandboxes: SandboxProvider): Promise<readonly Finding[]> {
  const probe = await sandboxes.probe();
  if (!probe.ok) return [{ what: 'sandbox', ok: false, says: probe.why, mend: probe.hint }];
  const node = nodeInside();
  const started = await startInside(sandboxes, { argv: [node.program, '--version'], folders: node.folders });
  const sandbox = { what: 'sandbox', ok: true, says: `${probe.facts['engine'] ?? sandboxes.kind} makes one` };
  if (started.ok) return [sandbox, { what: 'node', ok: true, says: `${started.printed} starts in it` }];
  const mend = `Let all users read and execute ${process.execPath}, or run Skep with a Node that has no libraries beside it`;
  return [sandbox, { what: 'node', ok: false, says: `${process.execPath} does not start in it: ${started.printed}`, mend }];
}

interface Given {
  readonly from: string | undefined;
  /** Undefined where none can be made. */
  readonly sandboxes: SandboxProvider | undefined;
}

async function agentFinding(kind: Installable, { from, sandboxes }: Given): Promise<Finding> {
  const { version, shown = { args: ['--version'], says: version } } = packages[kind];
  const install = `skep agent install ${kind}`;
  if (from === undefined) return { what: kind, ok: false, says: `${version} is not installed`, mend: install };
  if (sandboxes === undefined)
    return { what: kind, ok: true, says: `${version} is installed; it was not started, for want of a sandbox` };
  const node = nodeInside();
  const { argv } = installedInside(kind, node.program);
  const folders = [{ from, to: folderInside(kind) }, ...node.folders];
  const { ok, printed } = await startInside(sandboxes, { argv: [...argv, ...shown.args], folders });
  const again = `rm -r ${from} && ${install}`;
  if (!ok)
    return { what: kind, ok: false, says: `${version} is installed and does not start in a sandbox: ${printed}`, mend: again };
  const isRight = printed.split(/\s+/).includes(shown.says);
  if (!isRight) return { what: kind, ok: false, says: `it calls itself ${printed} and should be ${shown.says}`, mend: again };
  const { node: wanted } = packages[kind];
  const by =
    wanted === undefined ? '' : wanted === 'machine' ? `, with Node ${process.version}` : `, with a Node of its own, v${wanted}`;
  return { what: kind, ok: true, says: `${version} starts in a sandbox${by}` };
}
