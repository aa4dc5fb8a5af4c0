import { canonical } from './canonical.ts';
import type { Answer } from './recording.ts';

/** Undefined where both say the same. Rows that the statement puts in no order may come in any. */
export function difference(asked: { readonly text: string }, memory: Answer, real: Answer): string | undefined {
  if (!('rows' in memory && 'rows' in real)) {
    const [said, meant] = [nameOf(memory), nameOf(real)];
    return said === meant ? undefined : `in memory ${said}, PostgreSQL ${meant}`;
  }
  const isOrdered = /order by(?![^()]*\))/i.test(asked.text);
  const inOrder = (lines: string[]) => (isOrdered ? lines : lines.sort());
  const [said, meant] = [memory, real].map(({ rows }) => inOrder(rows.map(canonical))) as [string[], string[]];
  if (said.length !== meant.length) return `in memory ${said.length} rows, PostgreSQL ${meant.length}\n${listed(said, meant)}`;
  // Which of its rows a limit leaves is decided by an order alone.
  if (!isOrdered && /\blimit \$?\d+\s*$/i.test(asked.text)) return undefined;
  const at = said.findIndex((line, i) => line !== meant[i]);
  return at < 0
    ? undefined
    : `row ${at + 1} of ${said.length}\n${columnsApart(memory, real, { at, isOrdered })}${listed([said[at] ?? ''], [meant[at] ?? ''])}`;
}

function nameOf(answer: Answer): string {
  if ('rows' in answer) return `gives ${answer.rows.length} rows`;
  if ('waits' in answer) return 'waits for a lock';
  // Of two foreign keys that fail at once the one that was made first is named, and schema.sql does not say which that was.
  const isNamed = answer.constraint !== undefined && answer.code !== '23503';
  return `refuses with ${answer.code}${isNamed ? ` (${answer.constraint})` : ''}`;
}

function columnsApart(
  memory: { readonly rows: readonly Record<string, unknown>[] },
  real: { readonly rows: readonly Record<string, unknown>[] },
  { at, isOrdered }: { at: number; isOrdered: boolean },
): string {
  const [a, b] = [memory.rows[at], real.rows[at]];
  if (!isOrdered && memory.rows.length > 1) return '';
  const names = new Set([...Object.keys(a ?? {}), ...Object.keys(b ?? {})]);
  const apart = [...names].filter(name => canonical(a?.[name]) !== canonical(b?.[name]));
  return `${apart.map(name => `    ${name}: ${canonical(a?.[name])} | ${canonical(b?.[name])}`).join('\n')}\n`;
}

const linesMax = 20;

function listed(said: readonly string[], meant: readonly string[]): string {
  const show = (lines: readonly string[]) => lines.slice(0, linesMax).map(line => `    ${line.slice(0, 2_000)}`);
  return ['  in memory', ...show(said), '  PostgreSQL', ...show(meant)].join('\n');
}
