import { modelOf, project as projectSchema } from '../../../contract/projects.ts';
import type { WireSession } from '../../../contract/sessions.ts';
import { addressed } from '../address.ts';
import type { Context, World } from '../world.ts';
import { shortId } from '../input/id.ts';
import { atAnyServer, isLost, lossesMax, openStation } from '../place/station.ts';
import { hasData } from '../place/temporary.ts';
import { readNote } from '../server/note.ts';
import type { PrepareWorker, Station } from '../place/station.ts';
import { Concluded, Interrupted } from '../report.ts';
import { specOf } from '../session/find.ts';
import { asLine } from '../worker/lines.ts';
import { beginNew } from './begin.ts';
import { commandsOf } from './commands.ts';
import type { Commands } from './commands.ts';
import { answerer, decider } from './decide.ts';
import { loadBuild, watchBuild } from './follow/watch.ts';
import type { Build } from './follow/watch.ts';
import type { Standing } from './follow/standing.ts';
import { beginIdea } from './idea/begin.ts';
import type { BuildOptions, ProjectWishes, Wanted } from './options.ts';
import { recordedNote } from './recorded.ts';
import { goOn, nothingToResume } from './resume.ts';
import { summaryDocument } from './summary/document.ts';
import { exitCodeOf, readOutcome } from './summary/outcome.ts';
import { summaryText } from './summary/text.ts';
import { openView } from './view/open.ts';
import type { View } from './view/open.ts';
import { ensureAgents } from './works/install.ts';

export interface Drive {
  readonly world: World;
  readonly options: BuildOptions;
  /** Undefined with --resume. */
  readonly wanted: Wanted | undefined;
  readonly wishes: ProjectWishes;
  /** The repository that one stands in or has named; undefined: neither. */
  readonly repository: string | undefined;
  /** Aborted with Interrupted. */
  readonly signal: AbortSignal;
  /** What a person types next, where it is not this command. */
  readonly commands?: Commands;
  /** What works beside a server of this command's own; `tell` is how it is heard of. Default: a worker in this process. */
  readonly prepareWorker?: (tell: (text: string) => void) => PrepareWorker;
  /** Called behind the summary, while there is still a server to ask. */
  readonly atEnd?: (context: Context, build: Build) => Promise<void>;
}

interface Work extends Drive {
  readonly station: Station;
  readonly commands: Commands;
  readonly build: Build;
  readonly view: View;
  /** By `clock.mono`. */
  readonly begun: number;
}

/** One build, from the first word to the last. Throws Concluded with its exit code, Interrupted after Ctrl-C. */
export async function drive(given: Drive): Promise<void> {
  const { world, options, signal } = given;
  let tell = (text: string): void => {
    if (options.json !== true) world.err.write(`${text}\n`);
  };
  await refuseEmpty(given);
  const station = await openStation(world, {
    ...options,
    onTrouble: change => tell(asLine(change)),
    prepareWorker: given.prepareWorker?.(text => tell(text)),
  });
  const commands = given.commands ?? commandsOf(options);
  try {
    signal.throwIfAborted();
    const session = await beginOrGoOn(given, { station, commands });
    const begun = world.clock.mono();
    // Not before the yes: a worker takes the work of other builds too.
    if (session.state !== 'completed') {
      await ensureAgents(given, { station, session, tell });
      await station.startWork();
    }
    const build = await atAnyServer(station, signal, context => loaded(context, session));
    const view = openView(world, { build, context: () => station.context, plain: options.plain === true, begun, commands });
    tell = text => view.reporter.tell({ kind: 'note', text });
    const work = { ...given, station, commands, build, view, begun };
    const standing = await watched(work).finally(() => view.close());
    await conclude(work, standing);
  } finally {
    await leave(given, station);
  }
}

/** No server is started to find out that nothing was ever built. */
async function refuseEmpty({ world, options, wanted }: Drive): Promise<void> {
  const { settings, token, isNamed } = await addressed(world, options);
  const mayRun = isNamed || token !== undefined || readNote(settings.SKEP_HOME) !== undefined;
  if (wanted === undefined && !mayRun && !hasData(settings)) throw nothingToResume();
}

function beginOrGoOn(given: Drive, at: { station: Station; commands: Commands }): Promise<WireSession> {
  const { station, commands } = at;
  const steadily = <T>(step: (context: Context) => Promise<T>) => atAnyServer(station, given.signal, step);
  const beginning = {
    ...given,
    commands,
    context: station.context,
    steadily,
    startWork: () => station.startWork(),
    host: () => station.host,
  };
  const { wanted } = given;
  if (wanted === undefined) return goOn(beginning, given);
  return 'idea' in wanted ? beginIdea(beginning, wanted) : beginNew(beginning, wanted);
}

async function loaded(context: Context, session: WireSession): Promise<Build> {
  const specId = session.spec_id ?? '';
  const [{ name }, { agent }] = await Promise.all([
    specOf(context, specId),
    context.client.request('GET', `/api/projects/${session.project_id}`, { schema: projectSchema }),
  ]);
  return loadBuild(context, { session, specId, name, note: recordedNote(modelOf(agent)) });
}

/** Watches it, at another server where the one that is used goes away, until it stands. */
async function watched(work: Work): Promise<Standing> {
  const { world, station, build, view, signal } = work;
  const asking = () => ({ world, context: station.context, signal });
  const pause = () => view.reporter.pause();
  const [decide, answer] = [decider(asking, pause), answerer(asking, pause)];
  try {
    for (let losses = 0; ; losses += 1) {
      try {
        return await withEither(signal, station.gone, either =>
          watchBuild(build, { context: station.context, reporter: view.reporter, signal: either, decide, answer }),
        );
      } catch (error) {
        if (losses >= lossesMax || !(await isLost(station, signal, error))) throw error;
        view.reporter.tell({ kind: 'note', text: 'The server that was used has stopped; going on without it' });
        await station.renew();
      }
    }
  } catch (error) {
    view.close();
    if (error instanceof Interrupted) sayInterrupted(work);
    throw error;
  }
}

/** A signal that is aborted with either of the two. */
async function withEither<T>(one: AbortSignal, other: AbortSignal, work: (either: AbortSignal) => Promise<T>): Promise<T> {
  const either = new AbortController();
  const onOne = (): void => either.abort(one.reason);
  const onOther = (): void => either.abort(other.reason);
  if (one.aborted) onOne();
  if (other.aborted) onOther();
  one.addEventListener('abort', onOne);
  other.addEventListener('abort', onOther);
  try {
    return await work(either.signal);
  } finally {
    one.removeEventListener('abort', onOne);
    other.removeEventListener('abort', onOther);
  }
}

async function conclude(work: Work, standing: Standing): Promise<void> {
  const { world, station, build, commands, begun, options, signal } = work;
  const elapsed = world.clock.mono() - begun;
  const outcome = await atAnyServer(station, signal, async context => {
    const path = `/api/projects/${build.session.project_id}`;
    const { repository } = await context.client.request('GET', path, { schema: projectSchema });
    return readOutcome(context, build, { standing, repository, elapsed });
  });
  const exitCode = exitCodeOf(standing);
  if (options.json === true) world.out.write(`${JSON.stringify(summaryDocument(outcome, exitCode, commands))}\n`);
  else world.out.write(`\n${summaryText(outcome, world.out, commands)}\n`);
  await work.atEnd?.(station.context, build);
  if (exitCode !== 0) throw new Concluded(exitCode);
}

function sayInterrupted({ world, station, build, commands, options }: Work): void {
  const rows = build.board.rows();
  const merged = rows.filter(({ status }) => status === 'completed').length;
  const next = commands.resume([shortId(build.session.id)]);
  const { host } = station;
  if (options.json === true) {
    const document = { event: 'interrupted', session_id: build.session.id, goes_on: host !== undefined, next: [next] };
    world.out.write(`${JSON.stringify(document)}\n`);
    return;
  }
  const what = host === undefined ? 'nothing is lost, and nothing goes on' : `the build goes on at ${host}`;
  world.err.write(`\nInterrupted with ${merged} of ${rows.length} tickets merged; ${what}.\n  ${next}\n`);
}

/** What runs here for other builds may end first; who does not want to wait for it presses Ctrl-C. */
async function leave({ world, signal, options }: Drive, station: Station): Promise<void> {
  if (signal.aborted || station.runsInHand === 0) return station.close(0);
  if (options.json !== true) world.err.write('Work of another build runs here: waiting for its end. Ctrl-C hands it back.\n');
  const onAbort = (): void => void station.close(0).catch(() => {});
  signal.addEventListener('abort', onAbort, { once: true });
  await station.close(Number.POSITIVE_INFINITY);
}
