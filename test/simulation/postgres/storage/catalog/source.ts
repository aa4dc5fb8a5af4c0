import { readFileSync } from 'node:fs';
import { loadModule, parseSync } from '@libpg-query/parser';
import { child, list, number } from './tree.ts';

await loadModule();

export interface Parsed {
  readonly tree: unknown;
  readonly text: string;
}

/** The statements of src/db/schema.sql that make something; who may do what is left out. */
export function schemaStatements(): readonly Parsed[] {
  const text = readFileSync(new URL('../../../../../src/db/schema.sql', import.meta.url), 'utf8');
  return parse([text.replaceAll(rights, ''), jobsTable].join('\n'));
}

// They name roles by placeholders that are no SQL, and storage parameters mean nothing here.
const rights = /^(grant |create policy |alter table ).*$/gm;

/** What of graphile-worker's tables the product's jobs are made of; its functions are the evaluator's. */
export const jobsTable = `
  create table graphile_worker._private_jobs (
    id bigint not null generated always as identity,
    task text not null,
    payload jsonb not null,
    run_at timestamp with time zone not null default now(),
    attempts integer not null default 0,
    locked_by text,
    locked_at timestamp with time zone,
    job_key text,
    constraint jobs_pkey primary key (id)
  );
  create unique index jobs_job_key on graphile_worker._private_jobs (job_key) where (job_key is not null);
`;

export function parse(sql: string): Parsed[] {
  const bytes = Buffer.from(sql);
  return list(parseSync(sql), 'stmts').map(raw => {
    const from = number(raw, 'stmt_location');
    const length = number(raw, 'stmt_len');
    return { tree: child(raw, 'stmt'), text: bytes.toString('utf8', from, length === 0 ? undefined : from + length).trim() };
  });
}

/** The syntax tree of one expression. */
export function parseExpression(sql: string): unknown {
  return child(list(parse(`select ${sql}`)[0]?.tree, 'SelectStmt', 'targetList')[0], 'ResTarget', 'val');
}
