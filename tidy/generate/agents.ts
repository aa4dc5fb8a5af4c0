import { seenAgents } from '../../test/proofs/seen.ts';
import type { Seen } from '../../test/proofs/seen.ts';

const begin = '<!-- Made from test/proofs/agents.json by `npm run generate`: do not edit. -->';
const end = '<!-- end -->';

/** docs/agents.md with the table of what the proofs saw each agent do. */
export function agentsText(text: string): string {
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`docs/agents.md needs the lines "${begin}" and "${end}"`);
  return `${text.slice(0, from)}${begin}\n${table()}\n${text.slice(to)}`;
}

const heads = ['', 'version', 'Node', 'reports by', 'MCP gone after the start', 'goes on with its conversation'];
const moreHeads = ['counts the tokens of', 'calls to a provider that stays busy', 'asked beside the gateway'];

function table(): string {
  const all = [...heads, ...moreHeads];
  const rows = Object.entries(seenAgents()).map(([kind, seen]) => [`\`${kind}\``, ...cells(seen)]);
  return [all, all.map(() => '---'), ...rows].map(row => `| ${row.join(' | ')} |`).join('\n');
}

const nodes: Readonly<Record<string, string>> = { none: 'none', machine: 'the machine’s' };
const counts = { all: 'all answers', 'the last': 'the last answer', none: 'none' } as const;

function cells({ version, node, reports, withoutMcp, goesOn, tokens, busyCalls, others }: Seen): string[] {
  return [
    ...[version, nodes[node] ?? `${node}, its own`],
    ...[reports === 'MCP' ? 'MCP' : '`skep-report`', withoutMcp, goesOn ? 'yes' : 'begins anew'],
    ...[counts[tokens], String(busyCalls), others.length === 0 ? 'nobody' : others.join(', ')],
  ];
}
