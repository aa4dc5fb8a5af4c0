import { expect, test } from 'vitest';
import { type Bench, bench, claimed, leased, queued, ticket } from './history.ts';
import type { ChangeFacts, Facts, TableName, TrunkFacts } from './types.ts';

/** A ticket whose first run was claimed at 10 with the token `one`. */
function held(): Bench {
  const made = bench();
  made.commit(0, [], ['projects', 'p', { collisions: 'hold' }], ['tickets', 'T', ticket], ['runs', 'r1', queued]);
  made.commit(10, ['one'], ['runs', 'r1', leased('one', 10)], ['tickets', 'T', claimed(1)]);
  return made;
}

/** The same, after the sweep has taken the run back and the next attempt waits. */
function lost(): Bench {
  const made = held();
  made.commit(1_011, [], ['runs', 'r1', { state: 'lost', lease_expires_at: null }], ['tickets', 'T', { status: 'ready' }]);
  made.commit(1_012, [], ['runs', 'r2', { ...queued, attempt: 2 }]);
  return made;
}

test('a run that is claimed, kept, lost, claimed again and handed in breaks no rule', () => {
  const made = lost();
  made.commit(1_100, ['two'], ['runs', 'r2', leased('two', 1_100)], ['tickets', 'T', claimed(2)]);
  made.commit(
    1_900,
    ['two'],
    ['runs', 'r2', { state: 'working', lease_expires_at: new Date(2_900) }],
    ['tickets', 'T', { status: 'running' }],
  );
  made.commit(
    2_500,
    ['two'],
    ['runs', 'r2', { state: 'submitted', lease_expires_at: null }],
    ['tickets', 'T', { status: 'verifying' }],
  );
  made.oracle.witness.told('complete', 'two', 2_400);
  expect(made.oracle.violation()).toBeUndefined();
});

const broken: readonly (readonly [rule: string, how: string, history: () => Bench])[] = [
  [
    'one holder at a time',
    'a second run of a subject is claimed while the first is held',
    () => {
      const made = held();
      made.commit(30, ['two'], ['runs', 'r2', { ...queued, attempt: 2, ...leased('two', 30) }], ['tickets', 'T', claimed(2)]);
      return made;
    },
  ],
  [
    'a claim is known by its own token',
    'the next claim has the token of the last',
    () => {
      const made = lost();
      made.commit(1_100, ['one'], ['runs', 'r2', leased('one', 1_100)], ['tickets', 'T', claimed(2)]);
      return made;
    },
  ],
  [
    'only the last claim writes',
    'a heartbeat comes after the lease has run out',
    () => {
      const made = held();
      made.commit(1_020, ['one'], ['runs', 'r1', { lease_expires_at: new Date(2_020) }]);
      return made;
    },
  ],
  [
    'only the last claim writes',
    'a bundle is taken from who holds nothing',
    () => {
      const made = lost();
      made.commit(1_020, ['one'], ['blobs', 'b', { run_id: 'r1', kind: 'bundle' }]);
      return made;
    },
  ],
  [
    'only the last claim writes',
    'a run is handed in by a stranger',
    () => {
      const made = held();
      made.commit(
        20,
        ['other'],
        ['runs', 'r1', { state: 'submitted', lease_expires_at: null }],
        ['tickets', 'T', { status: 'verifying' }],
      );
      return made;
    },
  ],
  [
    'a lease that lives is not taken',
    'the sweep comes too early',
    () => {
      const made = held();
      made.commit(900, [], ['runs', 'r1', { state: 'lost', lease_expires_at: null }]);
      return made;
    },
  ],
  [
    'lease time is database time',
    'a lease is given by another clock',
    () => {
      const made = held();
      made.commit(20, ['one'], ['runs', 'r1', { lease_expires_at: new Date(60_000) }]);
      return made;
    },
  ],
  [
    'nobody is told what is not so',
    'a completion goes well that was never taken',
    () => {
      const made = held();
      made.oracle.witness.told('complete', 'one', 15);
      return made;
    },
  ],
  [
    'attempts are claims',
    'a claim counts twice',
    () => {
      const made = bench();
      made.commit(0, [], ['tickets', 'T', ticket], ['runs', 'r1', queued]);
      made.commit(10, ['one'], ['runs', 'r1', leased('one', 10)], ['tickets', 'T', claimed(2)]);
      return made;
    },
  ],
  [
    'not tried for ever',
    'a third attempt follows two that were lost, where one is tried again',
    () => {
      const made = lost();
      made.commit(1_100, ['two'], ['runs', 'r2', leased('two', 1_100)], ['tickets', 'T', claimed(2)]);
      made.commit(2_200, [], ['runs', 'r2', { state: 'lost', lease_expires_at: null }], ['tickets', 'T', { status: 'ready' }]);
      made.commit(2_300, [], ['runs', 'r3', { ...queued, attempt: 3 }]);
      made.commit(2_400, ['three'], ['runs', 'r3', leased('three', 2_400)], ['tickets', 'T', claimed(3)]);
      return made;
    },
  ],
  [
    'what is claimed is wanted',
    'a run is claimed of a ticket that was cancelled',
    () => {
      const made = bench();
      made.commit(0, [], ['tickets', 'T', { ...ticket, status: 'cancelled' }], ['runs', 'r1', queued]);
      made.commit(10, ['one'], ['runs', 'r1', leased('one', 10)]);
      return made;
    },
  ],
  ['needs come first', 'a ticket is claimed before what it needs is done', () => withNeed()],
  [
    'the brake holds',
    'a claim is made while the brake is on',
    () => claimWith(['brakes', 't', { state: 'on', changed_at: new Date(0) }]),
  ],
  [
    'limits hold',
    'a claim is one too many',
    () => claimWith(['run_limits', 'l', { scope: 'tenant', scope_id: '', runs_max: 0 }]),
  ],
  [
    'nothing is claimed early',
    'a run is claimed before it is due',
    () => claimWith(['runs', 'r1', { ...queued, due_at: new Date(500) }]),
  ],
  [
    'files are one agent’s',
    'two tickets are held that touch one file',
    () => {
      const made = held();
      made.commit(20, [], ['tickets', 'T', { files: ['src'] }], ['tickets', 'U', { ...ticket, files: ['src/a.ts'] }]);
      made.commit(21, [], ['runs', 'r2', { ...queued, subject_id: 'U', ticket_id: 'U' }]);
      made.commit(30, ['two'], ['runs', 'r2', leased('two', 30)], ['tickets', 'U', claimed(1)]);
      return made;
    },
  ],
  [
    'rows go the way of their machine',
    'a run that is lost works again',
    () => {
      const made = lost();
      made.commit(1_200, [], ['runs', 'r1', { state: 'working' }]);
      return made;
    },
  ],
  ['one decision wins', 'a change is rejected that was approved', () => decidedTwice()],
  [
    'a session is built once',
    'a session has two epics',
    () => {
      const made = bench();
      const epic = { ...ticket, type: 'epic', status: 'running', session_id: 's' };
      made.commit(0, [], ['tickets', 'E1', epic], ['tickets', 'E2', epic]);
      return made;
    },
  ],
  ...landings(),
];

test('the conflict of a ticket that a person tried anew is tried anew too', () => {
  const made = bench();
  const conflict = { ...queued, subject_type: 'conflict', subject_id: 'c' };
  const claim = (at: number, token: string, facts: Facts): void => {
    made.commit(at, [], ['tickets', 'T', { status: 'merging' }], ['runs', token, { ...conflict, ...facts }]);
    made.commit(at + 10, [token], ['runs', token, leased(token, at + 10)]);
  };
  made.commit(0, [], ['projects', 'p', { collisions: 'hold' }], ['tickets', 'T', ticket], ['runs', 'r0', queued]);
  made.commit(1, ['zero'], ['runs', 'r0', leased('zero', 1)], ['tickets', 'T', claimed(1)]);
  made.commit(2, ['zero'], ['runs', 'r0', { state: 'submitted' }], ['tickets', 'T', { status: 'running' }]);
  made.commit(3, [], ['tickets', 'T', { status: 'verifying' }]);
  for (const [i, token] of ['one', 'two'].entries()) {
    claim(2_000 * i + 4, token, { attempt: i + 1 });
    made.commit(2_000 * i + 1_500, [], ['runs', token, { state: 'lost', lease_expires_at: null }]);
  }
  made.commit(4_000, [], ['tickets', 'T', { status: 'failed' }], ['runs', 'r0', { state: 'returned' }]);
  made.commit(4_001, [], ['tickets', 'T', { status: 'ready', attempts: 0 }], ['runs', 'r', queued]);
  made.commit(4_010, ['three'], ['runs', 'r', leased('three', 4_010)], ['tickets', 'T', claimed(1)]);
  for (const status of ['running', 'verifying']) made.commit(4_020, [], ['tickets', 'T', { status }]);
  claim(4_500, 'four', { attempt: 3 });
  expect(made.oracle.violation()).toBeUndefined();
});

const slow = [
  ['after that was known', 30, 'files are one agent’s'],
  ['before, and is committed after it', 19, undefined],
] as const;

/** A claim of a file at 30, which was decided at another time: by `what` at 20 another ticket has it. */
function claimBeside(decidedAt: number, before: Facts, after: Facts): Bench {
  const made = held();
  made.commit(12, [], ['tickets', 'T', before]);
  made.commit(
    18,
    [],
    ['tickets', 'U', { ...ticket, files: ['src/a.ts'] }],
    ['runs', 'r2', { ...queued, subject_id: 'U', ticket_id: 'U' }],
  );
  made.commit(20, [], ['tickets', 'T', after]);
  made.commit(
    30,
    ['two'],
    ['runs', 'r2', { ...leased('two', 30), leased_at: new Date(decidedAt) }],
    ['tickets', 'U', claimed(1)],
  );
  return made;
}

test.each(slow)('a file that work turned out to touch is claimed again %s', (_, decidedAt, rule) => {
  expect(claimBeside(decidedAt, {}, { observed: ['src/a.ts'] }).rule()).toBe(rule);
});

test.each([
  ['after it was known', 30, 'limits hold'],
  ['before, and is committed after it', 19, undefined],
] as const)('a run beyond a limit is claimed %s', (_, decidedAt, rule) => {
  const made = held();
  made.commit(18, [], ['tickets', 'U', ticket], ['runs', 'r2', { ...queued, subject_id: 'U', ticket_id: 'U' }]);
  made.commit(20, [], ['run_limits', 'l', { scope: 'tenant', scope_id: '', runs_max: 1 }]);
  made.commit(
    30,
    ['two'],
    ['runs', 'r2', { ...leased('two', 30), leased_at: new Date(decidedAt) }],
    ['tickets', 'U', claimed(1)],
  );
  expect(made.rule()).toBe(rule);
});

test.each(slow)('a file of work that goes on after a look is claimed again %s', (_, decidedAt, rule) => {
  expect(claimBeside(decidedAt, { status: 'waiting', observed: ['src/a.ts'] }, { status: 'merging' }).rule()).toBe(rule);
});

test.each(broken)('%s: %s', (rule, _, history) => {
  expect(history().rule()).toBe(rule);
});

function claimWith(...rows: readonly (readonly [TableName, string, Facts])[]): Bench {
  const made = bench();
  made.commit(0, [], ['tickets', 'T', ticket], ['runs', 'r1', queued], ...rows);
  made.commit(10, ['one'], ['runs', 'r1', leased('one', 10)], ['tickets', 'T', claimed(1)]);
  return made;
}

function withNeed(): Bench {
  return claimWith(
    ['tickets', 'N', { ...ticket, status: 'running' }],
    ['ticket_dependencies', 'd', { ticket_id: 'T', needs_id: 'N' }],
  );
}

function decidedTwice(): Bench {
  const made = bench();
  const change = {
    trunk_id: 'k',
    ticket_id: 'T',
    run_id: 'r1',
    state: 'open',
    approval: 'needed',
    head_sha: 'h',
    merge_sha: null,
  };
  made.commit(0, [], ['changes', 'c', change]);
  made.commit(1, [], ['changes', 'c', { approval: 'given', state: 'queued' }]);
  made.commit(2, [], ['changes', 'c', { approval: 'not_needed', state: 'queued' }]);
  return made;
}

interface Landing {
  readonly isChecked?: boolean;
  readonly parent?: 'base' | 'other';
  readonly runState?: string;
  readonly twice?: boolean;
}

/** The work of T lands on the base. */
function land({ isChecked = true, parent = 'base', runState = 'accepted', twice = false }: Landing): Bench {
  const made = bench();
  const { graph, oracle } = made;
  const at = new Date(0);
  const base = graph.commit({ tree: new Map([['a', '']]), parents: [graph.root], message: 'base', at });
  const other = graph.commit({ tree: new Map([['b', '']]), parents: [graph.root], message: 'other', at });
  const work = new Map([...graph.filesOf(base), ['work/T', 'good']]);
  const head = graph.commit({ tree: work, parents: [base], message: 'work', at });
  const merge = graph.commit({ tree: work, parents: [parent === 'base' ? base : other, head], message: 'merge', at });
  if (isChecked) oracle.witness.checked(head, true);
  const trunk: Partial<TrunkFacts> = {
    state: 'preparing',
    base_sha: null,
    head_sha: null,
    published_sha: null,
    branch: 'b',
    spec_id: 's',
  };
  const change: Partial<ChangeFacts> = {
    ...{ trunk_id: 'k', ticket_id: 'T', run_id: 'r1', state: 'merging', approval: 'not_needed', head_sha: head, merge_sha: null },
  };
  made.commit(0, [], ['trunks', 'k', trunk]);
  made.commit(1, [], ['trunks', 'k', { state: 'ready', base_sha: base, head_sha: base }], ['changes', 'c', change]);
  made.commit(1, [], ['tickets', 'T', { ...ticket, status: 'merging' }], ['runs', 'r1', { ...queued, state: 'submitted' }]);
  const done = [
    ['changes', 'c', { state: 'merged', merge_sha: merge }],
    ['tickets', 'T', { status: 'completed' }],
  ] as const;
  made.commit(2, [], ['trunks', 'k', { head_sha: merge }], ['runs', 'r1', { state: runState }], ...done);
  if (twice) {
    const again = graph.commit({ tree: work, parents: [merge, head], message: 'again', at });
    oracle.witness.checked(graph.commit({ tree: work, parents: [merge, head], message: 'candidate', at }), true);
    made.commit(3, [], ['trunks', 'k', { head_sha: again }], ['changes', 'd', { ...change, state: 'merged', merge_sha: again }]);
  }
  return made;
}

function landings(): (readonly [string, string, () => Bench])[] {
  return [
    ['what was reviewed is what lands', 'what lands was never checked', () => land({ isChecked: false })],
    ['the trunk only grows', 'what lands was merged into something else', () => land({ parent: 'other' })],
    ['only accepted work lands', 'the run of what lands was sent back', () => land({ runState: 'returned' })],
    ['work lands once', 'the same work lands twice', () => land({ twice: true })],
    [
      'work lands with the trunk',
      'a ticket is completed of which nothing landed',
      () => {
        const made = bench();
        made.commit(0, [], ['tickets', 'T', { ...ticket, status: 'merging' }]);
        made.commit(1, [], ['tickets', 'T', { status: 'completed' }]);
        return made;
      },
    ],
    [
      'what is pushed was the trunk',
      'something else is pushed',
      () => {
        const made = land({});
        made.oracle.pushed({ repository: 'r', branch: 'b', from: undefined, to: made.graph.root });
        return made;
      },
    ],
    [
      'what is pushed takes nothing back',
      'a push goes back to an earlier head',
      () => {
        const made = land({});
        const base = made.graph.commit({
          tree: new Map([['a', '']]),
          parents: [made.graph.root],
          message: 'base',
          at: new Date(0),
        });
        const tip = made.graph.commit({ tree: new Map(), parents: [base], message: 'tip', at: new Date(0) });
        made.oracle.pushed({ repository: 'r', branch: 'b', from: tip, to: base });
        return made;
      },
    ],
  ];
}

test('work that was checked, accepted and merged lands without a word', () => {
  expect(land({}).oracle.violation()).toBeUndefined();
});
