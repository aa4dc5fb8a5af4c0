import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { systemClock } from '../../src/kernel/clock.ts';
import { type Stages, stagesForTests } from '../harness/stages.ts';
import { commitAll, git } from '../samples/git.ts';
import { makeRepository } from '../harness/worker.ts';
import { type Fault, faults, judge, type Scene, type Verdict } from './oracle.ts';

let stages: Stages;
let home: string;
let made: { id: string; repository: string | undefined }[];
const undoing: (() => unknown)[] = [];

beforeEach(async () => {
  stages = await stagesForTests();
  home = mkdtempSync(join(tmpdir(), 'skep-oracle-'));
  made = [{ id: await stages.open(), repository: undefined }];
  await stages.drain();
});
afterEach(async () => {
  for (const undo of undoing.splice(0)) await undo();
  await stages.close({ isByHand: true });
  rmSync(home, { recursive: true, force: true });
});

const scene = (): Scene => ({
  ...{ database: stages.superuserUrl, made, homes: [home], workerHomes: [home] },
  places: { ids: join(home, 'ids'), groups: join(home, 'groups') },
});
const placeEvents = 'update events set position = id - (select min(id) from events) + 1';
const completed = (id: string) =>
  stages.sql(
    `insert into events (tenant_id, type, subject_type, subject_id, actor) values ($1, 'ticket.completed', 'ticket', $2, 'test')`,
    [stages.tenantId, id],
  );

/** A trunk whose head stands one commit after its base; `landed`: what the commits say that they land. */
async function trunk(landed: readonly string[]): Promise<{ repository: string; head: string }> {
  const repository = makeRepository({ 'README.md': '# one\n' });
  undoing.push(() => rmSync(repository, { recursive: true, force: true }));
  const base = git(repository, 'rev-parse', 'HEAD');
  git(repository, 'checkout', '-q', '-b', 'skep/trunk');
  for (const [index, id] of landed.entries()) {
    writeFileSync(join(repository, 'README.md'), `# ${index}\n`);
    commitAll(repository);
    git(repository, 'commit', '-q', '--amend', '-m', `Land\n\nSkep-Ticket: ${id}`);
  }
  const head = git(repository, 'rev-parse', 'HEAD');
  await stages.sql('update projects set repository = $1 where id = $2', [repository, stages.projectId]);
  await stages.sql('delete from trunks');
  await stages.sql(
    `insert into trunks (tenant_id, project_id, branch, state, red_base, base_sha, head_sha, published_sha)
     values ($1, $2, 'skep/trunk', 'ready', 'refuse', $3, $4, $4)`,
    [stages.tenantId, stages.projectId, base, head],
  );
  return { repository, head };
}

/** A run that was claimed and is over in this way; its id. */
async function over(state: 'accepted' | 'failed'): Promise<string> {
  const { run } = await stages.claimNew();
  await stages.sql(
    `update runs set state = $2, failure_class = case $2 when 'failed' then 'agent_failed' end, ended_at = now(), lease_expires_at = null
      where id = $1`,
    [run.id, state],
  );
  await stages.sql(placeEvents);
  return run.id;
}

/** The same run once more, of another id. */
const copy = (id: string | undefined) =>
  stages.sql(
    `insert into runs select (jsonb_populate_record(r, jsonb_build_object('id', gen_random_uuid()))).* from runs r where id = $1`,
    [id],
  );

/** What the agent of a run that is over has told, numbered so. */
async function transcript(...numbers: readonly number[]): Promise<void> {
  const id = await over('accepted');
  for (const seq of numbers)
    await stages.sql(
      `insert into transcript_events (tenant_id, run_id, seq, chunk_end, type, at, body) values ($1, $2, $3::int, $3::int, 'message', $4, '{"text":"t"}')`,
      [stages.tenantId, id, seq, new Date(seq === 2 ? 1_000 : seq * 1_000)],
    );
}

async function connected(): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: stages.superuserUrl });
  await client.connect();
  undoing.push(() => client.end());
  return client;
}

interface Plant {
  readonly what: string;
  /** The list in which it must be found, and as what. */
  readonly fault: Fault;
  readonly words: RegExp;
  plant(): Promise<unknown>;
}

/** What is done to a world in which nothing is wrong but that its one ticket still waits. */
const plants: readonly Plant[] = [
  {
    what: 'a ticket that was promised and is gone',
    fault: 'lost',
    words: /is gone$/,
    plant: async () => made.push({ id: 'TKT-999', repository: undefined }),
  },
  {
    what: 'a ticket that failed',
    fault: 'lost',
    words: /is failed$/,
    plant: () => stages.sql(`update tickets set status = 'failed' where id = $1`, [made[0]?.id]),
  },
  {
    what: 'an event between two others',
    fault: 'lost',
    words: /has position/,
    plant: () => stages.sql('update events set position = position + 1 where position = (select max(position) from events)'),
  },
  {
    what: 'a trunk that is not published as far as it has come',
    fault: 'lost',
    words: /is published at .* and not at/,
    plant: async () => {
      const { repository } = await trunk(['TKT-001']);
      git(repository, 'update-ref', 'refs/heads/skep/trunk', 'skep/trunk~1');
    },
  },
  {
    what: 'completed work that is not on the branch',
    fault: 'lost',
    words: /^work of/,
    plant: async () => {
      const { repository } = await trunk(['TKT-001']);
      made = [{ id: made[0]?.id ?? '', repository }];
      await stages.sql(`update tickets set status = 'completed', proof = 'proven' where id = $1`, [made[0]?.id]);
    },
  },
  {
    what: 'a ticket that was completed twice',
    fault: 'doubled',
    words: /^ticket.completed of/,
    plant: async () => {
      for (const id of ['TKT-001', 'TKT-001']) await completed(id);
      await stages.sql(placeEvents);
    },
  },
  { what: 'work that landed twice', fault: 'doubled', words: /landed twice/, plant: () => trunk(['TKT-001', 'TKT-001']) },
  {
    what: 'a ticket with two accepted runs',
    fault: 'doubled',
    words: /has two accepted runs$/,
    plant: async () => copy(await over('accepted')),
  },
  {
    what: 'a ticket with two runs at work, where the database would let it',
    fault: 'doubled',
    words: /has two runs at work$/,
    plant: async () => {
      const { run } = await stages.claimNew();
      await stages.sql('drop index one_live_run_a_subject, runs_of_run_token');
      await copy(run.id);
      await stages.sql(placeEvents);
    },
  },
  {
    what: 'a budget that was charged for a call that never was',
    fault: 'doubled',
    words: /^budget tenant/,
    plant: () =>
      stages.sql(`insert into budgets (tenant_id, scope, scope_id, cap_tokens, spent_tokens) values ($1, 'tenant', '', 100, 7)`, [
        stages.tenantId,
      ]),
  },
  { what: 'a hole in a transcript', fault: 'lost', words: /has 2 events up to the number 4$/, plant: () => transcript(1, 4) },
  {
    what: 'what an agent told once and that stands there twice',
    fault: 'doubled',
    words: /says twice/,
    plant: () => transcript(1, 2),
  },
  {
    what: 'a template that was put once and has two versions',
    fault: 'doubled',
    words: /^template t@2 is the same/,
    plant: async () => {
      await stages.sql(`insert into templates (tenant_id, name) values ($1, 't')`, [stages.tenantId]);
      await stages.sql(
        `insert into template_versions (tenant_id, id, name, version, source, lineage, agent, prompt, limits, fallback)
         select $1, 't@' || n, 't', n, 's', '{}', '{}', '', '{}', '{}' from generate_series(1, 2) n`,
        [stages.tenantId],
      );
    },
  },
  {
    what: 'a question that a person was asked again',
    fault: 'doubled',
    words: /^ticket TKT-001 was asked about twice: which[?]$/,
    plant: () =>
      stages.sql(
        `insert into questions (tenant_id, kind, state, subject_type, subject_id, text, answer, answered_by, decided_at, due_at)
         select $1, 'ask', 'answered', 'ticket', 'TKT-001', 'which?', 'this', 'p', now(), now() from generate_series(1, 2)`,
        [stages.tenantId],
      ),
  },
  {
    what: 'a lease that ran out and that nobody takes back',
    fault: 'stuck',
    words: /since its lease ran out$/,
    plant: async () => {
      const claimed = await stages.claim();
      await stages.expire(claimed?.run.id ?? '');
      await stages.sql(placeEvents);
    },
  },
  {
    what: 'a run without its job',
    fault: 'stuck',
    words: /and nothing moves it$/,
    plant: async () => {
      made.push({ id: await stages.open(), repository: undefined });
      await stages.sql('delete from graphile_worker._private_jobs');
      await stages.sql(placeEvents);
    },
  },
  {
    what: 'a job in the hands of one that is gone',
    fault: 'stuck',
    words: /which is gone$/,
    plant: async () => {
      made.push({ id: await stages.open(), repository: undefined });
      await stages.sql(`update graphile_worker._private_jobs set locked_by = 'somebody', locked_at = now()`);
      await stages.sql(placeEvents);
    },
  },
  {
    what: 'a job that was given up',
    fault: 'stuck',
    words: /was given up: it broke$/,
    plant: async () => {
      made.push({ id: await stages.open(), repository: undefined });
      await stages.sql(`update graphile_worker._private_jobs set attempts = max_attempts, last_error = 'it broke'`);
      await stages.sql(placeEvents);
    },
  },
  {
    what: 'a call that is open though its run is over',
    fault: 'stuck',
    words: /is open, and the run is failed$/,
    plant: async () => {
      const id = await over('failed');
      await stages.sql(
        `insert into model_calls (tenant_id, run_id, project_id, agent, wire, provider, model, is_recorded, reserved_microusd, reserved_tokens)
         values ($1, $2, $3, 'exec', 'chat', 'p', 'm', false, 1, 1)`,
        [stages.tenantId, id, stages.projectId],
      );
    },
  },
  {
    what: 'a process of a sandbox',
    fault: 'leaked',
    words: /^process/,
    plant: async () => {
      const child = spawn('sh', ['-c', 'sleep 60 & wait', join(home, 'sandboxes')], { detached: true });
      undoing.push(() => process.kill(-(child.pid ?? 0), 'SIGKILL'));
    },
  },
  {
    what: 'a folder of a sandbox',
    fault: 'leaked',
    words: /sandboxes\/lost/,
    plant: async () => mkdirSync(join(home, 'sandboxes/lost~1'), { recursive: true }),
  },
  {
    what: 'a group of a user id that nobody has',
    fault: 'leaked',
    words: /^cgroup .*1001$/,
    plant: async () => mkdirSync(join(home, 'groups/pids/skep/1001'), { recursive: true }),
  },
  {
    what: 'a user id of a worker that is dead',
    fault: 'leaked',
    words: /^user id 1002 of/,
    plant: async () => {
      mkdirSync(join(home, 'ids/1002'), { recursive: true });
      writeFileSync(join(home, 'ids/1002/1.1.1.another'), join(home, 'sandboxes'));
    },
  },
  {
    what: 'half an upload',
    fault: 'leaked',
    words: /incoming/,
    plant: async () => mkdirSync(join(home, 'blobs/incoming/half'), { recursive: true }),
  },
  {
    what: 'a transaction that nobody ends',
    fault: 'leaked',
    words: /^transaction of/,
    plant: async () => {
      const client = await connected();
      await client.query('begin');
      await client.query('select 1');
      await systemClock.sleep(3_200);
    },
  },
  {
    what: 'somebody who waits for a lock that nobody gives back',
    fault: 'leaked',
    words: /waits for a lock$/,
    plant: async () => {
      await (await connected()).query('select pg_advisory_lock(1)');
      const second = await connected();
      second.query('select pg_advisory_lock(1)').catch(() => {});
      await systemClock.sleep(5_200);
    },
  },
];

it.each(plants)('finds $what', async ({ fault, words, plant }) => {
  await stages.sql(placeEvents);
  const before = await judge(scene());
  await plant();
  const after = await judge(scene());
  const found = (of: Verdict, each: Fault): readonly string[] => of[each].filter(what => words.test(what));
  expect(faults.flatMap(each => found(before, each))).toEqual([]);
  expect(faults.filter(each => found(after, each).length > 0)).toEqual([fault]);
});
