import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Struck } from './pool/struck.ts';
import { strikeKinds, wantedKinds } from './world/strikes.ts';

/** Seeds that were lived through, and what went wrong in them. */
interface SeedsRow {
  readonly first: number;
  readonly seeds: number;
  readonly violations: number;
  /** Of all threads together, while the machine did what else it had to do. */
  readonly seconds: number;
  readonly struck: Struck;
  readonly at: string;
}

/** How a mutant died, from each of the seeds that it was begun with. */
interface MutantRow {
  readonly name: string;
  readonly what: string;
  /** Any of these must fall. */
  readonly rules: string;
  readonly deaths: readonly Death[];
  /** Worlds that fell before by a rule that says nothing of its fault. */
  readonly astray: Readonly<Partial<Record<string, number>>>;
  readonly at: string;
}

export interface Death {
  readonly first: number;
  /** So many seeds later; null: it lives. */
  readonly after: number | null;
  readonly rule: string | null;
}

interface Report {
  readonly seeds: SeedsRow | null;
  readonly mutants: readonly MutantRow[];
}

const folder = join(import.meta.dirname, '../../bench/simulation');
const file = join(folder, 'report.json');

export function keepSeeds(row: Omit<SeedsRow, 'at'>): void {
  write({ ...read(), seeds: { ...row, at: today() } });
}

/** One of the same name is replaced; those that are no more are gone. */
export function keepMutant(row: Omit<MutantRow, 'at'>, names: readonly string[]): void {
  const { seeds, mutants } = read();
  const all = [...mutants.filter(({ name }) => name !== row.name), { ...row, at: today() }];
  write({ seeds, mutants: names.flatMap(name => all.find(each => each.name === name) ?? []) });
}

function today(): string {
  return new Date().toISOString().slice(0, 10);
}

function read(): Report {
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Report) : { seeds: null, mutants: [] };
}

function write(report: Report): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(file, `${JSON.stringify(report, null, 2)}\n`);
  writeFileSync(join(folder, 'README.md'), page(report));
}

function page({ seeds, mutants }: Report): string {
  return `# What the simulation has shown

Made by \`npm run prove -- test/simulation\` from report.json: do not edit. Worlds as
[docs/adr/0010](../../docs/adr/0010-the-simulation-runs-the-products-sql.md) has them; a merge lives through 20,000 of them and every mutant.

## Seeds
${seeds === null ? '\nNone were kept.\n' : pageOfSeeds(seeds)}
## Mutants

Each is the product with a fault put in. It dies where a rule falls that is about its fault; a world in which another rule falls first, such as
an error that nobody caught, is counted apart and shows nothing. *After* is the number of seeds until then, for each of the seeds begun with.

| mutant | what | rule that must fall | rule that fell | after | begun with | fell otherwise before | when |
|---|---|---|---|---|---|---|---|
${mutants.map(lineOf).join('\n')}
`;
}

function pageOfSeeds({ first, seeds, violations, seconds, struck, at }: SeedsRow): string {
  const lines = strikeKinds.map(kind => `| ${kind} | ${struck[kind]?.worlds ?? 0} | ${struck[kind]?.times ?? 0} |`);
  const wanted = Object.entries(wantedKinds).map(([name, kinds]) => `| ${name} | ${kinds.join(', ')} |`);
  return `
${seeds} seeds from ${first}: ${violations} violations, in ${seconds} s of a machine that did other work too (${at}).

What went wrong in them. A kind that never strikes in the seeds of a merge fails it.

| fault | worlds | times |
|---|---:|---:|
${lines.join('\n')}

In the words of the issue:

| asked for | done by |
|---|---|
${wanted.join('\n')}
`;
}

function lineOf({ name, what, rules, deaths, astray, at }: MutantRow): string {
  const fell = [...new Set(deaths.flatMap(({ rule }) => rule ?? 'none'))];
  const others = Object.entries(astray).map(([rule, count]) => `${rule} (${count})`);
  const cells = [name, what, rules, fell.join('; '), deaths.map(({ after }) => after ?? 'lives').join(', ')];
  return `| ${[...cells, deaths.map(({ first }) => first).join(', '), others.join('; ') || '–', at].join(' | ')} |`;
}
