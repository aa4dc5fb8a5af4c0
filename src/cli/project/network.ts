import type { Command } from 'commander';
import { ruleKey } from '../../../contract/network/rules.ts';
import { project as schema } from '../../../contract/projects.ts';
import { collect, noun, remoteCommand } from '../command.ts';
import { connect } from '../context.ts';
import type { RemoteOptions, World } from '../context.ts';
import { onePage, printList } from '../output/list.ts';
import { findProject } from './find.ts';
import { placeOf, ruleOf, ruleText } from './network-rule.ts';
import type { RuleOptions } from './network-rule.ts';

export function projectNetwork(world: World): Command {
  return noun('network', 'What the sandboxes of a project may reach beside the gateway', [
    networkAllow(world),
    networkList(world),
    networkRemove(world),
  ]);
}

function networkAllow(world: World): Command {
  return remoteCommand({
    name: 'allow',
    description: 'Let the sandboxes of a project reach a host, from their next run on; a rule for the same host is replaced',
    examples: [
      'skep project network allow demo registry.npmjs.org',
      "skep project network allow demo '*.example.org:8443'",
      'skep project network allow demo npm.example.org --credential npm',
      'skep project network allow demo 10.0.0.7:3000 --private --method GET',
    ],
  })
    .argument('<project>', 'its name or id')
    .argument('<host>', 'a host, or *. and a domain for all below it; with :PORT for another than 80 and 443')
    .option('--method <method>', 'plain http only, and only so; may be repeated', collect)
    .option('--credential <name>', 'plain http only: asked on by https with a header of the worker (docs/network.md)')
    .option('--private', 'also where it has an address of a private network or of the machine itself')
    .action(async (name: string, host: string, options: RemoteOptions & RuleOptions) => {
      const rule = ruleOf(host, options);
      const context = await connect(world, options);
      const project = await findProject(context, name);
      const before = project.network.find(each => ruleKey(each) === ruleKey(rule));
      if (before !== undefined && ruleText(before) === ruleText(rule)) {
        context.show(project, () => `nothing changed: ${ruleText(rule)} is allowed already`);
        return;
      }
      const path = `/api/projects/${project.id}/network`;
      const after = await context.client.request('PUT', path, { body: rule, schema });
      const instead = before === undefined ? '' : `\ninstead of ${ruleText(before)}`;
      context.show(after, () => `allowed from the next run on: ${ruleText(rule)}${instead}`);
    });
}

function networkList(world: World): Command {
  return remoteCommand({
    name: 'list',
    description: 'List what the sandboxes of a project may reach',
    examples: ['skep project network list demo'],
  })
    .argument('<project>', 'its name or id')
    .action(async (name: string, options: RemoteOptions) => {
      const context = await connect(world, options);
      const rules = findProject(context, name).then(({ network }) => network);
      await printList(context, {
        pages: onePage(rules),
        columns: [
          { title: 'HOST', value: ({ host }) => host, max: 60 },
          { title: 'PORT', value: ({ port = null }) => port },
          { title: 'METHODS', value: ({ methods }) => methods?.join(' ') ?? '-' },
          { title: 'CREDENTIAL', value: ({ credential = '-' }) => credential },
          { title: 'PRIVATE', value: rule => (rule.private === true ? 'yes' : 'no') },
        ],
        none: 'Its sandboxes reach no host. Allow one: skep project network allow PROJECT HOST',
      });
    });
}

function networkRemove(world: World): Command {
  return remoteCommand({
    name: 'remove',
    description: 'Take a rule away, from the next run on',
    examples: ['skep project network remove demo registry.npmjs.org'],
  })
    .argument('<project>', 'its name or id')
    .argument('<host>', 'the host, with its port where the rule has one')
    .action(async (name: string, host: string, options: RemoteOptions) => {
      const key = ruleKey(placeOf(host));
      const context = await connect(world, options);
      const { id, network } = await findProject(context, name);
      const path = `/api/projects/${id}/network/${encodeURIComponent(key)}`;
      const after = await context.client.request('DELETE', path, { schema });
      const rule = network.find(each => ruleKey(each) === key);
      context.show(after, () => `removed from the next run on: ${rule === undefined ? key : ruleText(rule)}`);
    });
}
