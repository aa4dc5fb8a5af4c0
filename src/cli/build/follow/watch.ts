import type { WireChange } from '../../../../contract/changes.ts';
import type { WireEvent } from '../../../../contract/events.ts';
import type { WireQuestion } from '../../../../contract/talk/questions.ts';
import type { WireReview } from '../../../../contract/reviews.ts';
import type { WireResult } from '../../../../contract/results.ts';
import type { WireSession } from '../../../../contract/sessions.ts';
import type { WireTrunk } from '../../../../contract/trunks.ts';
import { isFault } from '../../../kernel/fault.ts';
import type { Context } from '../../context.ts';
import { activeStatuses, createBoard, finalStatuses } from './board.ts';
import type { Board, Move } from './board.ts';
import { openInbox } from './events.ts';
import type { Inbox } from './events.ts';
import type { Reporter } from './news.ts';
import type { Awaited } from './questions.ts';
import { awaitedBy, concerns, isFlagged, openQuestionsOf } from './questions.ts';
import {
  isAnyRunLive,
  readChange,
  readChanges,
  readGraph,
  readQuestion,
  readResult,
  readReview,
  readSession,
  readTicket,
  readTrunk,
} from './reads.ts';
import { isPublished, standingOf } from './standing.ts';
import type { Standing } from './standing.ts';

/** A build as it is watched, over all servers that it is watched at. */
export interface Build {
  readonly specId: string;
  readonly name: string;
  /** Said behind the name wherever that shows; empty, or that it is a recorded demo. */
  readonly note: string;
  session: WireSession;
  trunk: WireTrunk | undefined;
  result: WireResult['state'] | undefined;
  readonly board: Board;
  /** Reviews that have ended while we looked. */
  readonly reviews: Map<string, WireReview>;
  /** Tickets that were at work at once, at most. */
  width: number;
}

export interface Watching {
  readonly context: Context;
  readonly reporter: Reporter;
  /** Ends it: what it is aborted with is thrown. */
  readonly signal: AbortSignal;
  /** Called for each change that waits for a person; resolves when he has answered or need not. */
  readonly decide: (change: WireChange) => Promise<void>;
  /** The same for each question. */
  readonly answer: (question: WireQuestion) => Promise<void>;
}

/** Loads a build for the first time. */
export async function loadBuild(
  context: Context,
  { session, specId, name, note }: Pick<Build, 'session' | 'specId' | 'name' | 'note'>,
): Promise<Build> {
  const [graph, trunk] = await Promise.all([readGraph(context, specId), readTrunk(context, specId)]);
  return { session, specId, name, note, trunk, result: undefined, board: createBoard(graph), reviews: new Map(), width: 1 };
}

/** Views move on between events. */
const tickMs = 250;
/** The truth is read anew though nothing was heard of it. */
const doubtMs = 10_000;
/** After so long without a word it is asked whether anybody works. */
const silenceMs = 12_000;

/**
 * Tells what becomes of a build until it does not move any more, and how it stands then. What is heard of by events is read where
 * it is decided on: an event wakes, and the server knows. Throws Fault `unauthenticated` when the token ends.
 */
export async function watchBuild(build: Build, watching: Watching): Promise<Standing> {
  const { context, reporter } = watching;
  const inbox = await openInbox(context, {
    onLost: () => reporter.tell({ kind: 'note', text: 'The server does not answer; trying on' }),
    onBack: () => reporter.tell({ kind: 'note', text: 'The server answers again' }),
  });
  try {
    await reload(build, watching);
    await askForOpen(build, watching);
    return await untilItStands(build, watching, inbox);
  } finally {
    inbox.close();
  }
}

async function untilItStands(build: Build, watching: Watching, inbox: Inbox): Promise<Standing> {
  const { reporter, signal, context } = watching;
  let loadedAt = context.clock.mono();
  let heardAt = loadedAt;
  const patience = patienceWith(build, watching);
  for (;;) {
    signal.throwIfAborted();
    let doubt = context.clock.mono() - loadedAt > doubtMs;
    for (const event of await inbox.take(tickMs)) {
      heardAt = context.clock.mono();
      signal.throwIfAborted();
      // What could not be read just now is read with all else.
      doubt = !(await patiently(() => follow(build, event, watching))) || doubt;
    }
    build.width = Math.max(build.width, atWork(build));
    reporter.refresh();
    const seen = standingOf({ ...build, rows: build.board.rows() });
    if (!doubt && (seen === 'moving' || patience.isGiven(seen))) continue;
    // Never by events alone: what they say may be behind.
    if (!(await patiently(() => reload(build, watching)))) continue;
    loadedAt = context.clock.mono();
    if (loadedAt - heardAt > silenceMs && (await patiently(() => tellIdle(build, watching)))) heardAt = Number.POSITIVE_INFINITY;
    const standing = standingOf({ ...build, rows: build.board.rows() });
    if (await patience.goesOn(standing)) continue;
    await settle(build, watching);
    return standing;
  }
}

/** What waits is given time where it goes on without a person, and a moment where it does not show what it waits for. */
function patienceWith(build: Build, watching: Watching) {
  const { clock } = watching.context;
  let givenFor: Standing | undefined;
  let bareSince: number | undefined;

  async function isWorthIt(): Promise<boolean> {
    const awaited = await awaitedBy(watching.context, build).catch((error: unknown): Awaited => {
      if (isPassing(error)) return 'time';
      throw error;
    });
    if (awaited === 'nothing') bareSince ??= clock.mono();
    else bareSince = undefined;
    return awaited === 'time' || (bareSince !== undefined && clock.mono() - bareSince < settleMs);
  }

  return {
    /** Whether it stands as it did when it was given time: there is nothing to look at before there is doubt. */
    isGiven: (standing: Standing) => standing === givenFor,
    async goesOn(standing: Standing): Promise<boolean> {
      const waits =
        standing === 'waiting' || (standing === 'failed' && build.board.rows().some(({ status }) => status === 'waiting'));
      givenFor = waits && (await isWorthIt()) ? standing : undefined;
      if (!waits) bareSince = undefined;
      return standing === 'moving' || givenFor !== undefined;
    },
  };
}

/** Where no worker is, everything waits and nobody says why. */
async function tellIdle({ trunk, board }: Build, { context, reporter }: Watching): Promise<void> {
  const isWaiting =
    trunk?.state === 'checking' || board.rows().some(({ status, attempts }) => status === 'ready' && attempts === 0);
  if (!isWaiting || (await isAnyRunLive(context))) return;
  reporter.tell({ kind: 'note', text: 'No worker takes the work. Start one for this server: skep worker' });
}

/** False where the server did not answer: it may in a moment. */
async function patiently(work: () => Promise<void>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    if (isPassing(error)) return false;
    throw error;
  }
}

function isPassing(error: unknown): boolean {
  return isFault(error) && error.kind.retry;
}

async function follow(build: Build, event: WireEvent, watching: Watching): Promise<void> {
  const { context, reporter } = watching;
  const { type, subject, payload } = event;
  const isOurs = build.board.row(String(payload['ticketId'])) !== undefined;
  const move = build.board.apply(event);
  if (move !== undefined) await tellMove(build, move, watching);
  else if (subject.type === 'trunk' && payload['specId'] === build.specId) await reloadTrunk(build, watching);
  else if (subject.type === 'review' && payload['trunkId'] === build.trunk?.id && reviewEnds.has(type)) {
    const review = await readReview(context, subject.id);
    build.reviews.set(review.id, review);
    reporter.tell({ kind: 'review', review });
  } else if (subject.type === 'change' && isOurs && changeStops.has(type)) {
    const change = await readChange(context, subject.id);
    reporter.tell({ kind: 'change', change });
    if (isFlagged(change)) await watching.decide(change);
  } else if (type === 'question.opened') {
    const question = await readQuestion(context, subject.id);
    if (concerns(question, build)) await tellQuestion(question, watching);
  } else if (type.startsWith('session.') && subject.id === build.session.id) {
    build.session = await readSession(context, build.session.id);
  }
}

async function tellQuestion(question: WireQuestion, { reporter, answer }: Watching): Promise<void> {
  reporter.tell({ kind: 'question', question });
  if (question.state === 'pending') await answer(question);
}

const reviewEnds: ReadonlySet<string> = new Set(['review.passed', 'review.needs_work', 'review.failed', 'review.inconclusive']);
const changeStops: ReadonlySet<string> = new Set(['change.flagged', 'change.conflict']);

async function tellMove(build: Build, move: Move, { context, reporter }: Watching): Promise<void> {
  const { id, status } = move.row;
  if (finalStatuses.has(status) || status === 'waiting') build.board.learn(await readTicket(context, id));
  reporter.tell({ kind: 'ticket', ...move, row: build.board.row(id) ?? move.row });
}

async function reload(build: Build, watching: Watching): Promise<void> {
  const { context, reporter } = watching;
  const { specId } = build;
  const session = await readSession(context, build.session.id);
  const [graph, result] = await Promise.all([readGraph(context, specId), readResult(context, specId)]);
  build.session = session;
  build.result = result;
  for (const move of build.board.load(graph.nodes, context.clock.now())) reporter.tell({ kind: 'ticket', ...move });
  await reloadTrunk(build, watching);
}

async function reloadTrunk(build: Build, { context, reporter }: Watching): Promise<void> {
  const before = build.trunk;
  const trunk = await readTrunk(context, build.specId);
  if (trunk === undefined) return;
  build.trunk = trunk;
  const isNews =
    before?.state !== trunk.state || before.published_sha !== trunk.published_sha || before.publish_error !== trunk.publish_error;
  if (isNews) reporter.tell({ kind: 'trunk', trunk });
}

/** What was flagged or asked before we looked. */
async function askForOpen(build: Build, watching: Watching): Promise<void> {
  const { context, decide, reporter } = watching;
  for (const question of await openQuestionsOf(context, build)) await tellQuestion(question, watching);
  const { trunk } = build;
  if (trunk === undefined) return;
  for (const change of await readChanges(context, trunk.id)) {
    if (!isFlagged(change)) continue;
    reporter.tell({ kind: 'change', change });
    await decide(change);
  }
}

const settleMs = 5_000;

/** What was merged beside what failed is published a moment later. */
async function settle(build: Build, watching: Watching): Promise<void> {
  const { clock } = watching.context;
  for (const until = clock.mono() + settleMs; clock.mono() < until; await clock.sleep(tickMs, watching.signal)) {
    if (build.trunk === undefined || build.trunk.state !== 'ready' || isPublished(build.trunk)) return;
    if (build.trunk.publish_error !== null) return;
    await patiently(() => reloadTrunk(build, watching));
  }
}

function atWork({ board }: Build): number {
  return board.rows().filter(({ status }) => activeStatuses.has(status)).length;
}
