import { statement } from '../../src/db/statement.ts';

export const makePeersDatabase = statement<object>('make_peers_database', 'create database peers');

export const fillJobs = statement<object>(
  'fill_jobs',
  `select count(*) from graphile_worker.add_jobs(array(
     select row('work', json_build_object('n', n), null, null, null, null, null, null)::graphile_worker.job_spec
       from generate_series(1, $1::int) as n))`,
);

export const settlePeers = ['vacuum analyze', 'checkpoint'].map((text, i) => statement<object>(`settle_peers_${i}`, text));

export const clientSessions = statement<{ pid: number }>(
  'client_sessions',
  `select pid from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()`,
);
