import type { NetworkRule } from '../../../../contract/network/rules.ts';
import type { Agent } from '../../../../contract/projects.ts';
import { modelOf, project as projectSchema } from '../../../../contract/projects.ts';
import { checkModels } from '../../build/works/check.ts';
import { isRecorded } from '../../build/recorded.ts';
import { beginBuild, openSession } from '../../build/session.ts';
import { worldWith } from '../../demo/world.ts';
import { openStation } from '../../place/station.ts';
import type { Station } from '../../place/station.ts';
import { agentText } from '../../project/agent.ts';
import type { Installable } from '../../../providers/agents/install/packages.ts';
import { Concluded, Interrupted } from '../../report.ts';
import { asLine } from '../../worker/lines.ts';
import type { World } from '../../world.ts';
import { lackingExitCode } from '../place.ts';
import { removeLeftTries } from './left.ts';
import { createReport } from './report.ts';
import type { Report } from './report.ts';
import { card, checks, makePlaces, removePlaces } from './sample.ts';
import type { Places } from './sample.ts';
import { trySettings } from './settings.ts';
import { createTimeline } from './timeline.ts';
import { notInstalled, verdictOf } from './verdict.ts';
import type { Verdict } from './verdict.ts';
import { watchTry } from './watch.ts';

export interface Tried {
  readonly agent: Agent;
  /** The user's own, to be put into the sample. */
  readonly files: readonly string[];
  /** Where agents are installed. */
  readonly agents: string;
  /** The file of the user's own providers of models. */
  readonly models: string | undefined;
  /** As SKEP_SANDBOX names it. */
  readonly sandbox: string;
  /** The agent that would have to be installed first. */
  readonly missing: Installable | undefined;
  readonly timeoutMs: number;
  readonly json: boolean;
}

/** One small ticket on a small repository, by the path that all work takes. What it makes it takes away. */
export async function tryAgent(world: World, tried: Tried): Promise<void> {
  const { agent, files, json, missing, sandbox } = tried;
  const report = createReport(world, json);
  const begunMs = world.clock.mono();
  report.begin({ kind: agent.kind, what: agentText(agent), isRecorded: isRecorded(modelOf(agent)) });
  if (missing !== undefined) {
    report.verdict(notInstalled(missing), world.clock.mono() - begunMs);
    throw new Concluded(lackingExitCode);
  }
  const stopping = new AbortController();
  void world.stopRequested().then(() => stopping.abort(new Interrupted()));
  await removeLeftTries(world, stopping.signal);
  stopping.signal.throwIfAborted();
  const places = await makePlaces({ cwd: world.cwd, files, scene: agent.kind === 'model' ? 'file' : 'agent', sandbox });
  try {
    const verdict = await inPlaces(world, tried, { places, report, signal: stopping.signal });
    report.verdict(verdict, world.clock.mono() - begunMs);
    if (!verdict.ok) throw new Concluded(1);
  } finally {
    removePlaces(places);
  }
}

interface At {
  readonly places: Places;
  readonly report: Report;
  readonly signal: AbortSignal;
}

async function inPlaces(world: World, { agent, agents, models, timeoutMs, json }: Tried, at: At): Promise<Verdict> {
  const { places, report, signal } = at;
  const own = worldWith(world, trySettings(places, { agents, models, isRecorded: isRecorded(modelOf(agent)) }));
  const begunMs = world.clock.mono();
  const onTrouble = (change: Parameters<typeof asLine>[0]): void => {
    if (!json) world.err.write(`${asLine(change)}\n`);
  };
  const station = await openStation(own, { json, slots: 1, onTrouble });
  try {
    report.step({ name: 'start a server and its database', ms: world.clock.mono() - begunMs });
    signal.throwIfAborted();
    await begin(station, { agent, repository: places.repository });
    signal.throwIfAborted();
    const timeline = createTimeline();
    const end = await watchTry({ context: station.context, timeline, report, signal, timeoutMs });
    return await verdictOf(end, { context: station.context, places, branch: timeline.branch });
  } finally {
    await station.close(0);
  }
}

async function begin(station: Station, { agent, repository }: { agent: Agent; repository: string }): Promise<void> {
  const { context } = station;
  await checkModels(context, { agent });
  const project = await context.client.request('POST', '/api/projects', {
    body: { name: 'try', repository, agent, checks, network: waysOf(agent) },
    schema: projectSchema,
  });
  const session = await openSession(context, project, card);
  await beginBuild(context, session.id);
  await station.startWork();
}

/** An endpoint may well be one of this machine, where its maker tries it. */
function waysOf(agent: Agent): readonly NetworkRule[] {
  if (agent.kind !== 'http') return [];
  const { hostname, port } = new URL(agent.url);
  return [{ host: hostname, private: true, ...(port === '' ? {} : { port: Number(port) }) }];
}
