import type { Command } from 'commander';
import { Option } from 'commander';
import { vmList, vmStates } from '../../../contract/fleet/vms.ts';
import { remoteCommand } from '../command.ts';
import { connect } from '../context.ts';
import type { RemoteOptions, World } from '../context.ts';
import { onePage, printList } from '../output/list.ts';
import { age, mebibytes, stateText } from './text.ts';

interface Options extends RemoteOptions {
  readonly worker?: string;
  readonly state?: (typeof vmStates)[number];
}

export function sandboxList(world: World): Command {
  return remoteCommand({
    name: 'list',
    description: 'List the sandboxes that live, as their workers told of them within the last seconds',
    examples: ['skep sandbox list', 'skep sandbox list --worker build-7 --state frozen'],
  })
    .option('--worker <name>', 'only those of this worker')
    .addOption(new Option('--state <state>', 'only those in this state').choices(vmStates))
    .action(async (options: Options) => {
      const context = await connect(world, options);
      const query = { worker: options.worker, state: options.state };
      await printList(context, {
        pages: onePage(context.client.request('GET', '/api/vms', { query, schema: vmList }).then(({ vms }) => vms)),
        columns: [
          { title: 'ID', value: vm => vm.id, max: 60 },
          { title: 'STATE', value: stateText },
          { title: 'AGE', value: vm => age(vm.age_ms) },
          { title: 'TICKET', value: vm => vm.ticket_id },
          { title: 'PROJECT', value: vm => vm.project, max: 30 },
          { title: 'MEMORY', value: vm => `${mebibytes(vm.use.memory_bytes)} of ${mebibytes(vm.limits.memory_bytes)}` },
          { title: 'PROCESSES', value: vm => vm.use.processes },
          { title: 'KIND', value: vm => vm.kind },
          { title: 'WORKER', value: vm => vm.worker, max: 40 },
          { title: 'HOST', value: vm => vm.host },
        ],
        none: 'There are no sandboxes: nothing runs at this moment',
      });
    });
}
