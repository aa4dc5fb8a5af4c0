import { isDeepStrictEqual } from 'node:util';
import { query } from '../harness/database.ts';
import { fold, isSilently, type Known, type Told } from './fold.ts';
import type { Kind } from './steps.ts';

/**
 * For the end of a test: throws where the events of a database do not come to what its rows say, or go along an edge that a machine
 * has not. Rows and events are seen at one moment, so it may be asked while a server works.
 */
export async function refuseDrift(superuserUrl: string): Promise<void> {
  const found = await drift(superuserUrl);
  if (found.length > 0) throw new Error(`The events do not come to what the rows say:\n${found.slice(0, shownMax).join('\n')}`);
}

const shownMax = 20;

/** Each difference in a sentence. */
async function drift(superuserUrl: string): Promise<string[]> {
  const tenants = await query<Seen>(superuserUrl, seen);
  return tenants.flatMap(({ log, rows }) => differences(log ?? [], rows ?? []));
}

export interface Row {
  readonly kind: Kind;
  readonly id: string;
  readonly known: Known;
}

export function differences(log: readonly Told[], rows: readonly Row[]): string[] {
  const { standing, findings } = fold(log);
  const there = new Set(rows.map(({ kind, id }) => `${kind} ${id}`));
  const heardOf = Object.entries(standing).flatMap(([kind, things]) => Object.keys(things).map(id => `${kind} ${id}`));
  return [
    ...findings.map(({ event, type, says }) => `event ${event}, ${type}: ${says}`),
    ...rows.flatMap(row => differencesOf(row, standing[row.kind][row.id])),
    ...heardOf.filter(thing => !there.has(thing)).map(thing => `${thing}: is told of, and there is no row`),
  ];
}

/** What the events do not tell is no difference, nor is what they tell later. */
function differencesOf({ kind, id, known }: Row, told: Known | undefined): string[] {
  if (told === undefined) return [`${kind} ${id}: is a row that is ${known.state}, and no event tells of it`];
  const { state, ...rest } = told;
  const others = Object.entries(rest).filter(([fact, value]) => !isDeepStrictEqual(known[fact], value));
  return [
    ...(isSilently(kind, state, known.state) ? [] : [`${kind} ${id}: is ${known.state}, and its events say ${state}`]),
    ...others.map(
      ([fact, value]) =>
        `${kind} ${id}: its ${fact} is ${JSON.stringify(known[fact])}, and its events say ${JSON.stringify(value)}`,
    ),
  ];
}

interface Seen {
  readonly log: Told[] | null;
  readonly rows: Row[] | null;
}

/** A spec has the id of its session here, as in the fold. */
const row = (kind: Kind, table: string, known: string) =>
  `select '${kind}' as kind, ${kind === 'spec' ? 'session_id' : 'id'}::text as id, tenant_id, jsonb_build_object(${known}) as known from ${table}`;

/** One statement, so one moment. The facts have the names under which steps.ts knows them. */
const seen = `
  with rows as (
    ${[
      row('session', 'sessions', `'state', state, 'projectId', project_id`),
      row('spec', 'specs', `'state', status, 'id', id, 'version', version`),
      row('ticket', 'tickets', `'state', status, 'type', type, 'proof', proof`),
      row(
        'run',
        'runs',
        `'state', state, 'subject', subject_id, 'subjectType', subject_type, 'ticketId', ticket_id, 'attempt', attempt,
         'failureClass', failure_class`,
      ),
      row(
        'trunk',
        'trunks',
        `'state', state, 'specId', spec_id, 'branch', branch, 'base', base_sha, 'head', head_sha, 'merges', merge_count,
         'published', published_sha`,
      ),
      row(
        'review',
        'reviews',
        `'state', state, 'kind', kind, 'trunkId', trunk_id, 'ticketId', ticket_id, 'runId', run_id, 'round', round,
         'head', head_sha, 'base', base_sha`,
      ),
      row(
        'change',
        'changes',
        `'state', state, 'trunkId', trunk_id, 'ticketId', ticket_id, 'head', head_sha, 'commit', merge_sha`,
      ),
      row(
        'result',
        'result_submissions',
        `'state', state, 'specId', spec_id, 'version', version, 'proof', proof, 'submittedBy', submitted_by`,
      ),
      row(
        'question',
        'questions',
        `'state', state, 'kind', kind, 'subjectType', subject_type, 'subjectId', subject_id, 'projectId', project_id,
         'ticketId', ticket_id, 'runId', run_id, 'specId', spec_id`,
      ),
    ].join('\n    union all\n    ')}
  )
  select (select json_agg(json_build_object('type', type, 'subject', json_build_object('type', subject_type, 'id', subject_id),
                                            'payload', payload) order by id) from events e where e.tenant_id = t.id) as log,
         (select json_agg(json_build_object('kind', kind, 'id', id, 'known', known)) from rows r where r.tenant_id = t.id) as rows
    from tenants t`;
