import { readdirSync } from 'node:fs';
import type { Statement } from '../../../../src/db/statement.ts';

const root = new URL('../../../../src/', import.meta.url);

/** Every statement that a `*.sql.ts` of the product exports. */
export async function allStatements(): Promise<Statement<unknown>[]> {
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter(file => file.endsWith('.sql.ts'))
    .sort();
  const modules = await Promise.all(files.map(file => import(new URL(file, root).href) as Promise<Record<string, unknown>>));
  return modules.flatMap(module => Object.values(module).filter(isStatement));
}

function isStatement(value: unknown): value is Statement<unknown> {
  return typeof value === 'object' && value !== null && 'name' in value && 'text' in value;
}
