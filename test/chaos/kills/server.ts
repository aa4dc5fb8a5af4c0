import type { failpointsOfServer } from '../../../src/kernel/failpoint.ts';
import { systemClock } from '../../../src/kernel/clock.ts';
import { until } from '../../harness/process.ts';
import { card } from '../../harness/story.ts';
import { answer, callModel, fail, finish, hang, hold, keepArtifact, park, take } from '../hand.ts';
import { leaseMs, patienceMs } from '../world.ts';
import { leaveOrphan } from './orphan.ts';
import type { Provoke } from './provoke.ts';
import { provocationsOfTalk } from './talk.ts';

export type ServerPoint = (typeof failpointsOfServer)[number];

/** Those that only a home's first start, or that of a dead database, comes by. */
export const pointsOfStart = ['embedded-before-rename', 'embedded-launched', 'migration-applied', 'jobs-installed'] as const;
type PointOfStart = (typeof pointsOfStart)[number];

const ticket: Provoke = async world => void (await world.ticket(world.project('plain')));

const freshProject: Provoke = async world => void (await world.ticket(await world.newProject('plain')));

const handIn: Provoke = async world => finish(world, await hold(world));

const token: Provoke = async world =>
  void (await world.ask('POST', '/api/tokens', { name: 'made in danger', role: 'viewer', expires_in_s: 600 }));

const failing: Provoke = async world => {
  const held = await hold(world);
  await fail(world, held);
  await finish(world, { ...held, claimed: await take(world, held.ticketId) });
};

const modelCall: Provoke = async world => {
  const held = await hold(world);
  await callModel(world, held);
  await finish(world, held);
};

const artifact: Provoke = async world => {
  const held = await hold(world);
  await keepArtifact(world, held);
  await finish(world, held);
};

const question: Provoke = async world => {
  const held = await hold(world);
  const asked = await hang(world, held).catch(() => undefined);
  // Where the run was lost with the server before it hung, there is nobody to answer.
  if (asked !== undefined) await answer(world, asked, 'raise: 1000000 tokens');
  await park(world, held);
  await finish(world, { ...held, claimed: await take(world, held.ticketId) });
};

/** What holds it says nothing any more. */
const silence: Provoke = async world => {
  const held = await hold(world);
  await systemClock.sleep(leaseMs);
  await finish(world, { ...held, claimed: await take(world, held.ticketId) });
};

/** An agent is at work when its worker dies; the next one brings its work home. */
const orphan: Provoke = async world => {
  const id = await leaveOrphan(world, 'doomed');
  const heir = world.worker('doomed');
  await until(
    `${id} is completed`,
    async () => {
      const { body } = await world.ask('GET', `/api/tickets/${id}`);
      return body['status'] === 'completed' ? true : undefined;
    },
    patienceMs,
  );
  await heir.kill('SIGTERM');
};

const brake: Provoke = async world => {
  await world.ask('POST', '/api/brake/pull', { reason: 'a test pulls it' });
  await world.ask('POST', '/api/brake/lift');
};

/** As a person does it who tries again whatever was not answered. */
const story: Provoke = async world => {
  const made = await world.newProject('plain');
  const { body: project } = await world.ask('GET', `/api/projects/${made}`);
  const opened = await world.ask('POST', '/api/hitl', { project_name: project['name'], description: 'built in danger' });
  const id = String(opened.body['id']);
  await world.ask('POST', `/api/hitl/${id}/generate-spec`, { spec_card: card('in danger', [{ title: 'the only one' }]) });
  await world.ask('POST', `/api/hitl/${id}/approve`);
  const started = await world.ask('POST', `/api/hitl/${id}/start-build`, { confirmed: true });
  if (started.status !== 200) throw new Error(`the build was refused: ${JSON.stringify(started.body)}`);
  const { body } = await world.ask('GET', `/api/tickets?session_id=${id}`);
  for (const each of body['tickets'] as { id: string; type: string }[])
    if (each.type !== 'epic') world.note({ id: each.id, repository: world.repositoryOf(made) });
};

export const provocations: Readonly<Record<Exclude<ServerPoint, PointOfStart>, Provoke>> = {
  'token-minted': token,
  'session-approved': story,
  'build-started': story,
  'event-written': ticket,
  'event-committed': ticket,
  'job-taken': ticket,
  'job-done': ticket,
  'upstream-fetched': freshProject,
  'trunk-based': freshProject,
  'claim-committed': handIn,
  'claim-described': handIn,
  'call-reserved': modelCall,
  'call-sent': modelCall,
  'call-settled': modelCall,
  'log-appended': ticket,
  'artifact-stored': artifact,
  'bundle-stored': ticket,
  'complete-committed': ticket,
  'fail-committed': failing,
  'park-committed': question,
  'question-answered': question,
  'before-resume': failing,
  'after-receive': ticket,
  'candidate-made': ticket,
  'before-review-opened': ticket,
  'review-judged': ticket,
  'before-land': ticket,
  'merge-stored': ticket,
  'after-land': ticket,
  'before-publish': ticket,
  'after-publish': ticket,
  'sweep-took-lease': silence,
  'brake-pulled': brake,
  'rescue-stored': orphan,
  'run-buried': orphan,
  ...provocationsOfTalk,
};
