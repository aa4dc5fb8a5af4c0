import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { Statement } from '../../../src/db/statement.ts';
import { Engine } from './engine.ts';
import { schemaCatalog } from './storage/catalog/index.ts';

/** What the simulation does not need yet; a statement that has become known, or is gone, must leave this list. */
const unknown: Readonly<Record<string, string>> = {};

test('every statement of the product is known here, but for those that are named', async () => {
  const engine = new Engine(schemaCatalog());
  const found: Record<string, string> = {};
  for (const { name, text } of await statements()) {
    try {
      for (const { compiled } of engine.parts(text)) expect(compiled.columns).toBeInstanceOf(Array);
    } catch (error) {
      found[name] = (error as Error).message;
    }
  }
  expect(found).toEqual(unknown);
});

async function statements(): Promise<Statement<unknown>[]> {
  const source = new URL('../../../src/', import.meta.url);
  const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter(file => file.endsWith('.sql.ts'));
  const modules = await Promise.all(files.map(file => import(new URL(file, source).href) as Promise<object>));
  return modules.flatMap(module => Object.values(module)).filter(isStatement);
}

function isStatement(value: unknown): value is Statement<unknown> {
  return typeof value === 'object' && value !== null && 'name' in value && 'text' in value;
}
