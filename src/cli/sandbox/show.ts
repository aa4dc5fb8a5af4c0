import type { Command } from 'commander';
import type { WireVm } from '../../../contract/fleet/vms.ts';
import { remoteCommand } from '../command.ts';
import { connect } from '../context.ts';
import type { RemoteOptions, World } from '../context.ts';
import { fields } from '../output/table.ts';
import { findVm } from './find.ts';
import { age, mebibytes, stateText } from './text.ts';

export function sandboxShow(world: World): Command {
  return remoteCommand({ name: 'show', description: 'Show a sandbox', examples: ['skep sandbox show 3f2a'] })
    .argument('<id>', 'the sandbox; may be shortened')
    .action(async (id: string, options: RemoteOptions) => {
      const context = await connect(world, options);
      const found = await findVm(context, id);
      context.show(found, () => vmText(found));
    });
}

function vmText(vm: WireVm): string {
  const { limits, use, kill } = vm;
  const workspace = use.workspace_bytes === null ? 'not known' : mebibytes(use.workspace_bytes);
  return fields([
    ['id', vm.id],
    ['state', stateText(vm)],
    ['made', `${vm.made_at}, ${age(vm.age_ms)} ago`],
    ['kind', vm.kind],
    ['isolation', vm.isolation],
    ['ticket', vm.ticket_id],
    ['run', vm.run_id],
    ['project', vm.project],
    ['memory', `${mebibytes(use.memory_bytes)} of ${mebibytes(limits.memory_bytes)}`],
    ['processes', `${use.processes} of ${limits.process_count}`],
    ['processor', `${(use.cpu_ms / 1_000).toFixed(1)} s used, ${limits.cpu_count} at once`],
    ['workspace', `${workspace} of ${mebibytes(limits.workspace_bytes)}`],
    ['/tmp', `${mebibytes(limits.tmp_bytes)} at most`],
    ['worker', vm.worker],
    ['host', vm.host],
    ['heard of', vm.heard_at],
    ['to be killed', kill === null ? null : `said by ${kill.by} at ${kill.at}`],
  ]);
}
