import { readFileSync, rmSync } from 'node:fs';
import { drive } from '../build/drive.ts';
import type { Drive } from '../build/drive.ts';
import type { BuildOptions } from '../build/options.ts';
import { recordedLabel } from '../build/recorded.ts';
import { isFault } from '../../kernel/fault.ts';
import { shellWord, styled } from '../output/text.ts';
import { Concluded, Interrupted } from '../report.ts';
import type { World } from '../world.ts';
import { ensureAgent } from './agent.ts';
import { openChaos } from './chaos.ts';
import { demoCommands } from './commands.ts';
import { keepRunning } from './keep.ts';
import { demoModel, demoSlots } from './options.ts';
import type { Demo, DemoOptions } from './options.ts';
import { findClone, placesIn, removeHome } from './places.ts';
import { makePlaces } from './sample.ts';
import { forgetState, writeState } from './state.ts';
import { clearLast, lastDemo } from './stop.ts';
import { demoSettings, worldWith } from './world.ts';

/** The whole demo: what it makes it takes away again, except for the repository with the result, and what --resume needs. */
export async function runDemo(world: World, given: DemoOptions): Promise<void> {
  const clone = findClone();
  const stopping = new AbortController();
  void world.stopRequested().then(() => stopping.abort(new Interrupted()));
  const last = lastDemo(clone, given);
  const options = { ...given, ...(last === undefined ? {} : { agent: last.agent, chaos: last.isChaotic }) };
  if (last === undefined) await clearLast(world, clone);
  const places = last === undefined ? await makePlaces(clone) : placesIn(last.folder);
  const demo = { world, clone, places, options, isResumed: last !== undefined };
  note(demo);
  try {
    announce(demo);
    await ensureAgent(demo, stopping.signal);
    await build(demo, stopping.signal);
  } catch (error) {
    if (stopping.signal.aborted || error instanceof Interrupted) sayInterrupted(demo);
    else if (error instanceof Concluded) end(demo);
    else clear(demo);
    throw error;
  }
  if (options.keep === true) await keepRunning(demo);
  else end(demo);
}

function note({ clone, places, options }: Demo): void {
  const { folder } = places;
  writeState(clone, { folder, agent: options.agent, isChaotic: options.chaos === true, pid: process.pid, isKept: false });
}

/** The very same path as `skep build --idea`. */
async function build(demo: Demo, signal: AbortSignal): Promise<void> {
  const { clone, places, options } = demo;
  const settings = demoSettings(clone, places, { slots: demoSlots, isChaotic: options.chaos === true });
  const world = worldWith(demo.world, settings);
  const chaos = options.chaos === true ? openChaos(demo, settings) : undefined;
  const agent = { kind: options.agent, model: demoModel };
  const wishes = { agent, planner: { model: demoModel } };
  const { repository } = places;
  const one: Omit<Drive, 'wanted' | 'options'> = {
    ...{ world, wishes, repository, signal, commands: demoCommands },
    ...(chaos === undefined ? {} : { prepareWorker: chaos.prepareWorker, atEnd: chaos.tellLosses }),
  };
  const shown: BuildOptions = {
    ...{ checks: true, slots: demoSlots, repo: repository },
    ...{ yes: options.yes === true, plain: options.plain === true, json: options.json === true },
  };
  if (demo.isResumed) {
    try {
      return await drive({ ...one, wishes: {}, wanted: undefined, options: { ...shown, resume: true } });
    } catch (error) {
      // It was interrupted before there was anything to go on with.
      if (!isFault(error, 'session_not_found')) throw error;
    }
  }
  const idea = readFileSync(clone.idea, 'utf8').trim().replaceAll('\n', ' ');
  await drive({ ...one, wanted: { idea, repository, wishes }, options: { ...shown, idea } });
}

function announce({ world: { out }, clone, places, options, isResumed }: Demo): void {
  const idea = readFileSync(clone.idea, 'utf8').trim();
  if (options.json === true) {
    const document = { event: 'demo', label: recordedLabel, resumed: isResumed, idea, agent: options.agent, ...places };
    out.write(`${JSON.stringify(document)}\n`);
    return;
  }
  const lines = [
    styled(out, 'bold', `Skep, a ${recordedLabel}${isResumed ? ', resumed' : ''}`),
    'What the model says was recorded. The agents, their sandboxes, the tests and the merges are real, and nothing is paid.',
    '',
    ...idea.split('\n').map(line => `  ${line}`),
    '',
    `repository  ${places.repository}, a fresh copy of demo/sample`,
    `agent       ${options.agent} with ${demoModel} (${recordedLabel}), at most ${demoSlots} at once`,
  ];
  out.write(`${lines.join('\n')}\n\n`);
}

/** Of a demo that could not do its work not even the repository is worth keeping. */
function clear({ clone, places }: Demo): void {
  rmSync(places.folder, { recursive: true, force: true });
  forgetState(clone);
}

function end({ world: { out }, clone, places, options }: Demo): void {
  removeHome(places);
  forgetState(clone);
  const { repository, folder } = places;
  if (options.json === true) {
    out.write(`${JSON.stringify({ event: 'left', label: recordedLabel, repository, remove: `rm -r ${shellWord(folder)}` })}\n`);
    return;
  }
  out.write(
    `\nNothing is left of this ${recordedLabel} but the repository ${repository}\n  to remove it: rm -r ${shellWord(folder)}\n`,
  );
}

function sayInterrupted({ world: { err }, places, options }: Demo): void {
  if (options.json === true) return;
  err.write(
    `This ${recordedLabel} is kept in ${places.folder}.\n  to go on: npm run demo -- --resume\n  to remove it: npm run demo -- --stop\n`,
  );
}
