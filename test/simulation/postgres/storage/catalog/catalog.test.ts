import { describe, expect, test } from 'vitest';
import { schemaCatalog } from './index.ts';
import { text } from './tree.ts';

const catalog = schemaCatalog();

describe('what is read of schema.sql', () => {
  test('types, as format_type says them', () => {
    const runs = catalog.table('runs');
    const types = ['id', 'requires', 'due_at', 'created_at', 'fence', 'result', 'lease_token_hash'].map(
      name => runs.columns[runs.position(name)]?.type,
    );
    expect(types).toEqual([
      'uuid',
      'text[]',
      'timestamp with time zone',
      'timestamp(3) with time zone',
      'bigint',
      'jsonb',
      'bytea',
    ]);
  });

  test('keys and partial indexes', () => {
    const names = catalog.table('runs').uniques.map(index => `${index.name}${index.where === undefined ? '' : ' where'}`);
    expect(names).toEqual(['runs_tenant_id_id_key', 'one_live_run_a_subject where', 'runs_of_run_token where']);
    expect(catalog.table('reviews').uniques.at(-1)?.nullsAreDistinct).toBe(false);
  });

  test('foreign keys with their rule', () => {
    const keys = catalog.table('budgets').parents.map(key => [key.parentTable, key.parentColumns.join(), key.isCascade]);
    expect(keys).toEqual([
      ['tenants', 'id', false],
      ['budgets', 'tenant_id,id', true],
    ]);
  });

  test('triggers', () => {
    expect(catalog.table('runs').triggers).toMatchObject([
      {
        name: 'wake_claims',
        timing: 'after',
        events: ['update'],
        columns: ['lease_expires_at', 'state'],
        function: 'wake_claims',
      },
    ]);
  });

  test('functions with their whole text', () => {
    expect(catalog.function('sequence_events')).toMatchObject({ language: 'plpgsql' });
    expect(catalog.function('keys_of_files')).toMatchObject({ language: 'sql' });
    expect(catalog.function('sequence_events')?.text).toMatch(
      /^CREATE OR REPLACE FUNCTION skep[.]sequence_events[^]*end \$function\$$/,
    );
    expect(catalog.function('nothing')).toBeUndefined();
  });

  test('an identity column takes its number from its sequence', () => {
    const [id] = catalog.table('events').columns;
    expect(text(id?.default, 'FuncCall', 'args', '0', 'A_Const', 'sval', 'sval')).toBe('events_id_seq');
    expect(catalog.sequences).toEqual(['events_id_seq', 'run_fences', '_private_jobs_id_seq']);
  });

  test('by which columns a table is found, the narrowest first', () => {
    expect(catalog.table('tickets').lookups.map(columns => columns.join())).toContain('tenant_id,spec_id');
    expect(catalog.table('events').lookups[0]).toEqual(['tenant_id', 'subject_id']);
  });
});
