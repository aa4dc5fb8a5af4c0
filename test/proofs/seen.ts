import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { codingAgents } from '../../contract/projects.ts';

export type Kind = (typeof codingAgents)[number];

/** What a proof saw an agent do; docs/agents.md shows it. */
export interface Seen {
  readonly version: string;
  /** The Node that starts it: `none`, the `machine`'s, or the version of its own. */
  readonly node: string;
  readonly reports: 'MCP' | 'skep-report';
  /** What came of a ticket when the tools of MCP went away after the start. */
  readonly withoutMcp: 'goes on' | 'fails';
  /** Whether it goes on with its conversation in another sandbox. */
  readonly goesOn: boolean;
  /** Of which answers of the model it counts the tokens. */
  readonly tokens: 'all' | 'the last' | 'none';
  /** How often it asked a provider that was always busy. */
  readonly busyCalls: number;
  /** What it tried to reach beside the gateway, and how often. */
  readonly others: readonly string[];
}

const file = join(import.meta.dirname, 'agents.json');

/** As the last proofs wrote it. */
export function seenAgents(): Readonly<Partial<Record<Kind, Seen>>> {
  return JSON.parse(readFileSync(file, 'utf8')) as Readonly<Partial<Record<Kind, Seen>>>;
}

const names = ['version', 'node', 'reports', 'withoutMcp', 'goesOn', 'tokens', 'busyCalls', 'others'] as const;

/** Of each agent of which all was seen; what was written of the others stays. */
export function keepSeen(seen: Readonly<Partial<Record<Kind, Partial<Seen>>>>): void {
  const before = seenAgents();
  const isWhole = (kind: Kind): boolean => names.every(name => seen[kind]?.[name] !== undefined);
  const rows = codingAgents.flatMap(kind => {
    const row = isWhole(kind) ? seen[kind] : before[kind];
    return row === undefined ? [] : [[kind, Object.fromEntries(names.map(name => [name, row[name]]))] as const];
  });
  writeFileSync(file, `${JSON.stringify(Object.fromEntries(rows), undefined, 2)}\n`);
}
