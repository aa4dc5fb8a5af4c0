import { beforeEach, describe, expect, test } from 'vitest';
import { Blocked, SqlError } from '../types.ts';
import { aBudget, aProject, aRun, aTenant, changed, commitIn, emptyStorage, rowOf, tenant } from './fixture.ts';
import type { Storage, StorageTransaction, Tuple, Value } from './types.ts';

let storage: Storage;
let one: StorageTransaction;
let two: StorageTransaction;
let project: Tuple;

beforeEach(() => {
  storage = emptyStorage();
  const [, made] = commitIn(storage, aTenant, aProject('p'));
  if (made === undefined) throw new Error('no project');
  project = made;
  one = storage.begin();
  two = storage.begin();
});

describe('what is seen', () => {
  test('an insert by its transaction at once, by others when it is committed', () => {
    const tuple = insert(one, aProject('q'));
    expect([two.read(tuple), nameOf(one, tuple)]).toEqual([undefined, 'q']);
    one.commit();
    expect(nameOf(two, tuple)).toBe('q');
  });

  test('a change, an end, and neither after a rollback', () => {
    change(one, project, { name: 'r' });
    expect([nameOf(one, project), nameOf(two, project)]).toEqual(['r', 'p']);
    one.remove(project);
    expect([one.read(project), nameOf(two, project)]).toEqual([undefined, 'p']);
    one.rollback();
    expect(nameOf(two, project)).toBe('p');
  });

  test('a list that somebody walks does not change under him', () => {
    const list = one.scan('projects');
    insert(one, aProject('q'));
    expect([list.length, one.scan('projects').length]).toEqual([1, 2]);
  });

  test('a row that is gone is in no list', () => {
    one.remove(project);
    one.commit();
    expect([two.scan('projects'), two.find('projects', ['id'], ['p'])]).toEqual([[], []]);
  });
});

test('a commit tells the rows that it wrote, each once; a rollback tells nothing', () => {
  const told: unknown[] = [];
  storage.onWrite(written => told.push(written.map(({ table, id }) => `${table} ${id}`)));
  change(one, project, { name: 'r' });
  change(one, project, { name: 's' });
  const mark = one.mark();
  insert(one, aProject('gone'));
  one.undo(mark);
  const { id } = insert(one, aProject('q'));
  one.commit();
  change(two, project, { name: 't' });
  two.rollback();
  storage.begin().commit();
  expect(told).toEqual([[`projects ${project.id}`, `projects ${id}`]]);
});

describe('find', () => {
  test('by the old and by the new value while a change is under way, then by the new', () => {
    change(one, project, { name: 'r' });
    expect(foundBy('p', 'r')).toEqual([1, 1]);
    one.commit();
    expect(foundBy('p', 'r')).toEqual([0, 1]);
  });

  test('by the old one alone after undo, also where it changed there and back', () => {
    const mark = one.mark();
    change(one, project, { name: 'r' });
    change(one, project, { name: 'p' });
    one.undo(mark);
    expect(foundBy('p', 'r')).toEqual([1, 0]);
    change(one, project, { name: 'r' });
    change(one, project, { name: 'p' });
    one.commit();
    expect(foundBy('p', 'r')).toEqual([1, 0]);
  });

  test('by columns without a hash: all rows', () => {
    expect(one.find('projects', ['collisions'], ['allow'])).toEqual([project]);
  });

  function foundBy(...names: readonly string[]): number[] {
    return names.map(name => two.find('projects', ['tenant_id', 'name'], [tenant, name]).length);
  }
});

describe('constraints', () => {
  test('NOT NULL', () => {
    expect(refusal(() => insert(one, ['projects', { id: 'q', tenant_id: tenant }]))).toMatchObject({ code: '23502' });
    expect(refusal(() => change(one, project, { labels: null }))).toMatchObject({ code: '23502' });
  });

  test('CHECK, by its name; a null fulfils it', () => {
    const named = { code: '23514', constraint: 'projects_collisions' };
    expect(refusal(() => change(one, project, { collisions: 'perhaps' }))).toMatchObject(named);
    insert(one, aRun('r', { subject_type: 'ticket' }));
  });

  test('a key that is taken', () => {
    const named = { code: '23505', constraint: 'projects_tenant_id_name_key' };
    expect(refusal(() => insert(one, aProject('q', 'p')))).toMatchObject(named);
    const other = insert(one, aProject('q'));
    expect(refusal(() => change(one, other, { name: 'p' }))).toMatchObject(named);
    one.remove(project);
    change(one, other, { name: 'p' });
  });

  test('a key that another has inserted, changed or set free waits for him', () => {
    insert(one, aProject('q'));
    expect(waitsFor(() => insert(two, aProject('x', 'q')))).toBe(one);
    change(one, project, { name: 'r' });
    expect(waitsFor(() => insert(two, aProject('x', 'r')))).toBe(one);
    expect(waitsFor(() => insert(two, aProject('x', 'p')))).toBe(one);
    one.commit();
    insert(two, aProject('x', 'p'));
    expect(refusal(() => insert(two, aProject('y', 'r')))).toMatchObject({ code: '23505' });
  });

  test('a key waits for whoever changes anything of its row, but not for who has only locked it', () => {
    two.lock(project, 'update');
    expect(refusal(() => insert(one, aProject('x', 'p')))).toMatchObject({ code: '23505' });
    change(two, project, { labels: ['a'] });
    expect(waitsFor(() => insert(one, aProject('x', 'p')))).toBe(two);
  });

  test('a partial index counts the rows of its condition', () => {
    const run = insert(one, aRun('a'));
    const named = { code: '23505', constraint: 'one_live_run_a_subject' };
    expect(refusal(() => insert(one, aRun('b')))).toMatchObject(named);
    const over = insert(one, aRun('b', { state: 'lost' }));
    expect(refusal(() => change(one, over, { state: 'parked' }))).toMatchObject(named);
    change(one, run, { state: 'cancelled' });
    change(one, over, { state: 'parked' });
  });

  test('nulls are distinct, unless the index says that they are not', () => {
    const hashes = ['a', 'b'].map(id => insert(one, aRun(id, { subject_id: id })));
    expect(hashes).toHaveLength(2);
    const trunk = { tenant_id: tenant, project_id: 'p', state: 'preparing', red_base: 'refuse', object_format: 'sha1' };
    const rest = { merge_count: 0, publish_attempts: 0, checks: [], notes: [], created_at: new Date(0), updated_at: new Date(0) };
    insert(one, ['trunks', { ...trunk, ...rest, id: 't', branch: 'a' }]);
    const again = () => insert(one, ['trunks', { ...trunk, ...rest, id: 'u', branch: 'b' }]);
    expect(refusal(again)).toMatchObject({ code: '23505', constraint: 'trunks_tenant_id_project_id_spec_id_key' });
  });

  test('conflicting says in whose way it would stand', () => {
    const values = rowOf(storage, ...aProject('q', 'p'));
    const [byId, , byName] = storage.catalog.table('projects').uniques;
    expect(one.conflicting('projects', values)).toBe(project);
    expect(one.conflicting('projects', values, byName)).toBe(project);
    expect(one.conflicting('projects', values, byId)).toBeUndefined();
    const refused = { code: '23514', constraint: 'projects_collisions' };
    const wrong = rowOf(storage, 'projects', { ...aProject('q', 'p')[1], collisions: 'perhaps' });
    expect(refusal(() => one.conflicting('projects', wrong))).toMatchObject(refused);
  });
});

describe('foreign keys', () => {
  test('a child needs its parent when the statement is through, not before', () => {
    insert(one, aRun('a', { project_id: 'q' }));
    expect(refusal(() => one.endStatement())).toMatchObject({ code: '23503', constraint: 'runs_tenant_id_project_id_fkey' });
    insert(one, aProject('q'));
    one.endStatement();
  });

  test('commit looks at what no statement has', () => {
    insert(one, aRun('a', { project_id: 'q' }));
    expect(refusal(() => one.commit())).toMatchObject({ code: '23503' });
  });

  test('what another has not committed is no parent', () => {
    insert(one, aProject('q'));
    insert(two, aRun('a', { project_id: 'q' }));
    expect(refusal(() => two.endStatement())).toMatchObject({ code: '23503' });
  });

  test('a child waits for who removes its parent, and holds the parent from then on', () => {
    const mark = one.mark();
    one.remove(project);
    insert(two, aRun('a', { project_id: 'p' }));
    expect(waitsFor(() => two.endStatement())).toBe(one);
    one.undo(mark);
    two.endStatement();
    expect(waitsFor(() => one.remove(project))).toBe(two);
    change(one, project, { labels: ['b'] });
    expect(waitsFor(() => change(one, project, { name: 'z' }))).toBe(two);
  });

  test('a parent with children stays, unless they go with it', () => {
    const run = insert(one, aRun('a', { project_id: 'p' }));
    one.endStatement();
    const mark = one.mark();
    one.remove(project);
    expect(refusal(() => one.endStatement())).toMatchObject({ code: '23503', constraint: 'runs_tenant_id_project_id_fkey' });
    one.undo(mark);
    one.remove(run);
    one.remove(project);
    one.endStatement();
  });

  test('on delete cascade', () => {
    const template = insert(one, aBudget('t', { scope_id: '*' }));
    const made = insert(one, aBudget('m', { template_id: 't' }));
    const under = insert(one, aBudget('n', { template_id: 'm' }));
    one.endStatement();
    one.remove(template);
    one.endStatement();
    expect([made, under].map(tuple => one.read(tuple))).toEqual([undefined, undefined]);
    one.commit();
  });
});

describe('undo', () => {
  test('takes back inserts, changes, ends and what was said, the last first', () => {
    const said: string[] = [];
    storage.onNotify((channel, payload) => said.push(`${channel} ${payload}`));
    one.notify('c', 'kept');
    const mark = one.mark();
    const tuple = insert(one, aProject('q'));
    change(one, tuple, { name: 'r' });
    change(one, project, { name: 's' });
    one.remove(project);
    one.notify('c', 'gone');
    one.undo(mark);
    expect([one.scan('projects').length, nameOf(one, project), one.read(tuple)]).toEqual([1, 'p', undefined]);
    expect(waitsFor(() => change(two, project, { name: 'r' }))).toBeUndefined();
    one.commit();
    expect(said).toEqual(['c kept']);
  });

  test('does not give numbers back', () => {
    const mark = one.mark();
    expect(one.nextval('run_fences')).toBe(1);
    one.undo(mark);
    one.rollback();
    expect([two.nextval('run_fences'), two.nextval('events_id_seq')]).toEqual([2, 1]);
  });
});

test('a statement that has to wait has drawn no number', () => {
  one.lock(project, 'update');
  two.nextval('run_fences');
  two.mark();
  two.nextval('run_fences');
  two.nextval('run_fences');
  expect(waitsFor(() => two.lock(project, 'update'))).toBe(one);
  expect(two.nextval('run_fences')).toBe(2);
});

test('notifications are told at the commit, each once, in their order', () => {
  const said: string[] = [];
  storage.onNotify((channel, payload) => said.push(`${channel} ${payload}`));
  for (const payload of ['b', 'a', 'b']) one.notify('c', payload);
  two.notify('c', 'never');
  two.rollback();
  expect(said).toEqual([]);
  one.commit();
  expect(said).toEqual(['c b', 'c a']);
});

test('a table, a column or a sequence that is not there', () => {
  expect(refusal(() => one.scan('nothing'))).toMatchObject({ code: '42P01' });
  expect(refusal(() => one.nextval('nothing'))).toMatchObject({ code: '42P01' });
  expect(refusal(() => storage.catalog.table('runs').position('nothing'))).toMatchObject({ code: '42703' });
});

function insert(by: StorageTransaction, row: readonly [string, Readonly<Record<string, Value>>]): Tuple {
  return by.insert(row[0], rowOf(storage, ...row));
}

function change(by: StorageTransaction, tuple: Tuple, given: Readonly<Record<string, Value>>): void {
  by.update(tuple, changed(by, tuple, given));
}

function nameOf(by: StorageTransaction, tuple: Tuple): Value {
  return by.read(tuple)?.[storage.catalog.table(tuple.table).position('name')];
}

/** All or nothing, as a session does it. */
function refusal(ask: () => unknown): SqlError | undefined {
  try {
    ask();
  } catch (error) {
    if (error instanceof SqlError) return error;
    throw error;
  }
  return undefined;
}

function waitsFor(ask: () => unknown): unknown {
  try {
    ask();
  } catch (error) {
    if (error instanceof Blocked) return error.by;
    throw error;
  }
  return undefined;
}
