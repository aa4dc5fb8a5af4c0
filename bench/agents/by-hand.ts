import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { insideFolder, insidePath } from '../../src/worker/inside.ts';
import type { Agent, AgentProgram, AgentSettings } from '../../src/worker/agent.ts';
import { homePath, keptPath, workPath } from '../../src/worker/sandbox.ts';
import type { SandboxExit } from '../../src/worker/sandbox.ts';

interface Place {
  /** Empty: for what the agent has at home. */
  readonly folder: string;
  readonly repository: string;
  readonly gatewayUrl: string;
  /** The folder of its install. */
  readonly installed: string;
  readonly folderInside: string;
  /** Told the process of the agent when it has been started. */
  readonly onStart: (child: ChildProcess) => void;
}

const turnMsMax = 300_000;

/**
 * One turn of an agent with the programs, arguments and settings that Skep gives it, but on the machine itself: no worker, no sandbox,
 * no gateway. Returns how long its programs ran.
 */
export async function byHand(agent: Agent, settings: AgentSettings, place: Place): Promise<number> {
  const [home, kept] = [join(place.folder, 'home'), join(place.folder, 'kept')];
  for (const folder of [home, kept]) mkdirSync(folder);
  const inside = await insideFolder();
  const paths = new Map([
    ...[[place.folderInside, place.installed] as const, [insidePath, inside] as const],
    ...[[keptPath, kept] as const, [homePath, home] as const, [workPath, place.repository] as const],
  ]);
  // At once: what stands in the place of one may have another in it.
  const places = new RegExp([...paths.keys()].map(path => path.replaceAll('.', '[.]')).join('|'), 'g');
  const here = (text: string): string => text.replace(places, path => paths.get(path) ?? path);
  let ranMs = 0;

  async function start(program: AgentProgram): Promise<SandboxExit> {
    for (const file of program.home ?? []) {
      const at = join(home, file.path);
      mkdirSync(dirname(at), { recursive: true });
      if ('target' in file) symlinkSync(here(file.target), at);
      else writeFileSync(at, here(file.content));
    }
    const [name, ...args] = program.argv.map(here);
    const PATH = [...(program.path ?? []).map(here), `${inside}/bin`, process.env['PATH'] ?? ''].join(':');
    const env = Object.fromEntries(Object.entries(program.env).map(([variable, value]) => [variable, here(value)]));
    const from = performance.now();
    const child = spawn(name ?? '', args, { cwd: place.repository, env: { ...env, PATH, HOME: home, LANG: 'C.UTF-8' } });
    place.onStart(child);
    child.stdout.on('data', (chunk: Buffer) => program.onOutput('stdout', chunk));
    child.stderr.on('data', (chunk: Buffer) => program.onOutput('stderr', chunk));
    child.stdin.end(here(program.stdin));
    const code = await ended(child);
    const durationMs = performance.now() - from;
    ranMs += durationMs;
    return { reason: 'exited', code, durationMs };
  }

  const outcome = await agent.run({
    ...{ settings, task: '{}', prompt: 'Write a note', promptAgain: '', kept: [] },
    ...{ timeoutMs: turnMsMax, outputBytesMax: 2 ** 26 },
    ...{ env: { SKEP_RUN_TOKEN: 'by-hand' }, gatewayUrl: place.gatewayUrl, node: process.execPath, inside: insidePath, start },
    ...{ onUpdate: () => {}, onOutput: () => {} },
  });
  if (outcome.kind !== 'done') throw new Error(`${agent.kind} by hand: ${JSON.stringify(outcome)}`);
  return ranMs;
}

async function ended(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', code => resolve(code ?? 1));
  });
}
