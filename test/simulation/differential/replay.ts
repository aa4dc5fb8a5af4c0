import pg from 'pg';
import type { MemoryPostgres } from '../postgres/types.ts';
import { schemaCatalog } from '../postgres/storage/catalog/index.ts';
import { canonical } from './canonical.ts';
import { difference } from './compare.ts';
import { type RealPostgres, tell } from './real.ts';
import type { Answer, Step } from './recording.ts';

/** Asks a real PostgreSQL the same in the same order, and says what differs first, or undefined; in the end of all tables too. */
export async function replay(steps: readonly Step[], real: RealPostgres, memory: MemoryPostgres): Promise<string | undefined> {
  const replayer = createReplayer(real);
  for (const [i, step] of steps.entries()) {
    const found = await replayer.ask(step);
    if (found !== undefined) return `step ${i + 1} of ${steps.length}: ${found}`;
  }
  return compareTables(real, memory);
}

export interface Replayer {
  /** What differs in the answer, or undefined. */
  ask(step: Step): Promise<string | undefined>;
}

/** Each session of the recording has a connection of its own. */
export function createReplayer(real: RealPostgres): Replayer {
  const idle: pg.Client[] = [];
  const open = new Map<number, Place>();
  return {
    async ask(step) {
      const place = open.get(step.session) ?? { client: idle.pop() ?? (await real.connect()), isBegun: false };
      open.set(step.session, place);
      const found = difference(step, step.answer, await ask(place, step));
      if (step.what === 'end') {
        open.delete(step.session);
        idle.push(place.client);
      }
      if (found === undefined) return undefined;
      return `session ${step.session}, ${new Date(step.at).toISOString()}: ${found}\n${shown(step)}`;
    },
  };
}

interface Place {
  readonly client: pg.Client;
  isBegun: boolean;
}

/** Whether it waits on PostgreSQL too; then nothing of it is left, as in memory, where it is asked again. */
async function askInVain({ client, isBegun }: Place, step: Step): Promise<Answer> {
  const sequences = await client.query<{ mend: string }>(sequencesAsTheyAre);
  await client.query(isBegun ? 'savepoint vain' : 'begin');
  try {
    await tell(client, step);
    await client.query(`set local lock_timeout = '${vainMs}ms'`);
    const { rows } = await client.query<Record<string, unknown>>(step.text, [...step.values]);
    return { rows };
  } catch (error) {
    if (!(error instanceof pg.DatabaseError)) throw error;
    return error.code === lockNotAvailable ? { waits: true } : { code: error.code ?? '', constraint: error.constraint };
  } finally {
    await client.query(isBegun ? 'rollback to savepoint vain; release savepoint vain' : 'rollback');
    for (const { mend } of sequences.rows) await client.query(mend);
  }
}

const vainMs = 50;
const lockNotAvailable = '55P03';

/** What has waited has drawn its numbers for good. */
const sequencesAsTheyAre = `
  select format('select setval(%L, %s, %L)', s.seqrelid::regclass, coalesce(pg_sequence_last_value(s.seqrelid), 1),
                pg_sequence_last_value(s.seqrelid) is not null) as mend from pg_sequence s`;

async function ask(place: Place, step: Step): Promise<Answer> {
  const { client } = place;
  try {
    if ('waits' in step.answer) return await askInVain(place, step);
    if (step.what === 'run') {
      await tell(client, step);
      const { rows } = await client.query<Record<string, unknown>>(step.text, [...step.values]);
      return { rows: Array.isArray(rows) ? rows : [] };
    }
    if (step.what === 'begin' || place.isBegun) await client.query(step.what === 'end' ? 'rollback' : step.what);
    place.isBegun = step.what === 'begin';
    return { rows: [] };
  } catch (error) {
    if (!(error instanceof pg.DatabaseError)) throw error;
    const code =
      error.code === 'P0001' || error.code === lockNotAvailable ? `${error.code}: ${error.message}` : (error.code ?? '');
    return { code, constraint: error.constraint };
  }
}

/** What differs in the contents of all tables, the in-memory database being as it was after the last step. */
export async function compareTables(real: RealPostgres, memory: MemoryPostgres): Promise<string | undefined> {
  const client = await real.connect();
  const session = memory.connect('owner');
  for (const { name } of schemaCatalog().tables) {
    // Of the migrations the in-memory database knows nothing but what they made.
    if (name === 'migrations') continue;
    const text = `select * from ${name}`;
    const { rows } = await client.query<Record<string, unknown>>(text);
    const found = difference({ text }, { rows: session.run(text) }, { rows });
    if (found !== undefined) return `in the end the table ${name} differs: ${found}`;
  }
  return undefined;
}

function shown({ text, values, begunAt }: Step): string {
  return `  begun ${new Date(begunAt).toISOString()}\n  ${text}\n  values ${canonical(values)}`;
}
