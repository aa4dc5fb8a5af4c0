import type { Command } from 'commander';
import { networkRulesMax, ruleKey } from '../../../contract/network/rules.ts';
import type { NetworkRule } from '../../../contract/network/rules.ts';
import { project as schema } from '../../../contract/projects.ts';
import type { WireProject } from '../../../contract/projects.ts';
import { Fault } from '../../kernel/fault.ts';
import { collect, noun, remoteCommand, usage } from '../command.ts';
import { connect } from '../context.ts';
import type { Context, RemoteOptions, World } from '../context.ts';
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
      const others = project.network.filter(each => each !== before);
      if (others.length >= networkRulesMax)
        throw usage(`A project has at most ${networkRulesMax} rules`, 'Remove one: skep project network remove PROJECT HOST');
      const after = await setRules(context, project, [...others, rule]);
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
      const project = await findProject(context, name);
      const rule = project.network.find(each => ruleKey(each) === key);
      if (rule === undefined) throw unknownRule(project, key);
      const others = project.network.filter(each => each !== rule);
      const after = await setRules(context, project, others);
      context.show(after, () => `removed from the next run on: ${ruleText(rule)}`);
    });
}

function unknownRule({ name, network }: WireProject, key: string): Fault {
  const near = network.filter(({ host }) => host === key.replace(/:\d+$/, '')).map(ruleKey);
  const hint = near.length > 0 ? `There is ${near.join(', ')}` : `See: skep project network list ${name}`;
  return new Fault('invalid_request', { message: `No rule of '${name}' is for ${key}`, hint });
}

function setRules(context: Context, { id }: WireProject, network: readonly NetworkRule[]): Promise<WireProject> {
  return context.client.request('PATCH', `/api/projects/${id}`, { body: { network }, schema });
}
