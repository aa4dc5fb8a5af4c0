import { codingAgents } from '../../contract/projects.ts';
import { errors, rows, seenAgents } from '../../test/proofs/seen.ts';

/** The tables, each between its own two lines. */
const tables = { rows, errors };

/** docs/agents.md with the tables of what the proofs saw each agent do. */
export function agentsText(text: string): string {
  return Object.entries(tables).reduce((all, [name, names]) => between(all, name, table(names)), text);
}

function between(text: string, name: string, content: string): string {
  const begin = `<!-- ${name}: made from test/proofs/agents.json by \`npm run generate\`, do not edit. -->`;
  const end = `<!-- end of ${name} -->`;
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`docs/agents.md needs the lines "${begin}" and "${end}"`);
  return `${text.slice(0, from)}${begin}\n${content}\n${text.slice(to)}`;
}

/** A line for each thing that was seen, a column for each agent. */
function table(names: Readonly<Record<string, string>>): string {
  const seen = seenAgents();
  const head = ['', ...codingAgents.map(kind => `\`${kind}\``)];
  const lines = Object.entries(names).map(([name, words]) => [words, ...codingAgents.map(kind => wordsOf(seen[kind], name))]);
  return [head, head.map(() => '---'), ...lines].map(line => `| ${line.join(' | ')} |`).join('\n');
}

function wordsOf(seen: Readonly<Record<string, string>> | undefined, name: string): string {
  return seen?.[name] ?? 'not seen yet';
}
