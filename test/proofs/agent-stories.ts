import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { Agent as AnyAgent } from '../../contract/projects.ts';
import { allPids, processInfo } from '../../src/kernel/processes/info.ts';
import { scriptedGateway } from '../harness/scripted-gateway.ts';
import type { Step } from '../harness/model-steps.ts';
import type { ScriptedGateway } from '../harness/scripted-gateway.ts';
import type { QueuedRun, QueuedTask, ScriptedServer } from '../harness/scripted-server.ts';
import { git, makeRepository, processesWith, script, temporaryFolder } from '../harness/worker.ts';

/** One that has a model. */
type Agent = Extract<AnyAgent, { model: string }>;

export interface Story {
  readonly run: QueuedRun;
  readonly gateway: ScriptedGateway;
  readonly repository: string;
}

/** A repository whose check is red until the answer is mended, and how a model has an agent do that. */
export const ticketFiles = { 'answer.txt': '41\n', 'check.sh': script('test "$(cat answer.txt)" = 42') };
export const ticketSteps: readonly Step[] = [
  { shell: 'cat answer.txt; ./check.sh || echo it is red' },
  { shell: 'echo 42 > answer.txt; ./check.sh && echo it is green' },
  { shell: 'git commit --quiet --all --message "Mend the answer" && git log -1 --format=%s' },
  { report: 'submit_result', args: { status: 'done', summary: 'Mended' } },
  { say: 'All of it is done.' },
];

interface More {
  readonly onAsked?: (count: number) => void;
  readonly tools?: 'gone' | 'breaking';
}

/** Runs of real agents with a scripted model. */
export function agentStories(server: () => ScriptedServer) {
  function begin(agent: Agent, steps: readonly Step[], more: QueuedTask & More = {}): Story {
    const { onAsked, tools, ...task } = more;
    const gateway = scriptedGateway(steps, { onAsked, tools });
    server().onGateway(gateway.listener);
    const repository = task.repository ?? makeRepository({ 'README.md': 'hello\n' });
    return {
      run: server().queue({ ...task, limits: { process_count: 256, ...task.limits }, repository, agent }),
      gateway,
      repository,
    };
  }

  async function story(...given: Parameters<typeof begin>): Promise<Story> {
    const begun = begin(...given);
    await server().until(() => ['submitted', 'parked', 'failed', 'lost'].includes(begun.run.state));
    return begun;
  }

  /** A run whose agent was killed in the middle of a command, after one that left a file. */
  async function killed(agent: Agent, mark: string, task: QueuedTask = {}): Promise<Story> {
    // Claude Code writes its conversation a moment later than it works. An agent that keeps none has no such folder.
    const kept = "until ! test -e /kept || grep -rqs '[e]cho half' /kept; do sleep 0.02; done";
    const begun = begin(agent, [{ shell: 'echo half > half.txt' }, { shell: `${kept}; sleep ${mark}` }], task);
    await expect.poll(() => processesWith(mark).length, { timeout: 120_000 }).toBeGreaterThan(0);
    killAgent(mark);
    await server().until(() => begun.run.state === 'failed');
    return begun;
  }

  /** The next attempt at the ticket, from the work and the conversation of one that broke off. */
  async function goingOn(
    first: Story,
    agent: Agent,
    { before = [], ...task }: QueuedTask & { readonly before?: readonly Step[] } = {},
  ): Promise<Story> {
    const { run, repository } = first;
    const bundle = join(temporaryFolder(), 'half.bundle');
    writeFileSync(bundle, run.bundle ?? '');
    git(repository, 'fetch', '--quiet', bundle, `skep/${run.ticketId}:half`);
    return story(agent, [...before, { shell: 'cat half.txt; echo done > done.txt' }, { say: 'Done.' }], {
      ...task,
      repository,
      commit: run.result?.head ?? '',
      ticketId: run.ticketId,
      feedback: { round: 1, text: 'The agent was ended', checks: [] },
      continues: { run_id: run.id, conversation: true },
    });
  }

  return { begin, story, landed, killed, goingOn };
}

function landed({ run, repository }: Story): string {
  const clone = join(temporaryFolder(), 'clone');
  git(temporaryFolder(), 'clone', '--quiet', repository, clone);
  writeFileSync(join(clone, '../result.bundle'), run.bundle ?? '');
  git(clone, 'fetch', '--quiet', join(clone, '../result.bundle'), `skep/${run.ticketId}:result`);
  return clone;
}

/** Programs of ours that start an agent. */
const parents: ReadonlySet<string> = new Set(['/skep/inside/host.mjs', '/skep/inside/acp.mjs']);

/** Kills the agent that has started the program with this argument, as the system does when it has no memory left. */
export function killAgent(argument: string): void {
  const isHost = (pid: number): boolean => processInfo(pid)?.argv.some(word => parents.has(word)) === true;
  let pid = allPids().find(each => processInfo(each)?.argv.includes(argument)) ?? 0;
  while (pid > 1 && !isHost(parentOf(pid))) pid = parentOf(pid);
  if (pid > 1) process.kill(pid, 'SIGKILL');
}

function parentOf(pid: number): number {
  return Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
}
