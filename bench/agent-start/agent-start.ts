import { existsSync } from 'node:fs';
import { project } from '../../contract/projects.ts';
import { type Bench, type Figure, latency } from '../harness/bench.ts';
import { build } from '../harness/processes.ts';
import { makeRepository } from '../harness/repository.ts';
import { follow, startHive, startModel } from './hive.ts';
import type { Moments } from './moments.ts';

const rounds = 3;
const runsARound = 10;

const agents = [
  { kind: 'exec', command: ['sh', '-c', askByCurl()], model: 'bench/scripted' },
  { kind: 'codex', model: 'bench/scripted' },
  { kind: 'pi', model: 'bench/scripted' },
] as const;

/** One part follows the other, though some are begun before: of those it is the rest. What is first at the gateway is the end of the sixth. */
const parts = [
  ['leased', 'claim told', 'the claim, told to the worker'],
  ['claim told', 'sandbox asked for', 'the worker makes ready: repository, ways out'],
  ['sandbox asked for', 'sandbox made', 'the sandbox'],
  ['sandbox made', 'checked out', 'the rest of the fetch, and the check-out in it'],
  ['checked out', 'agent started', "the rest of the start of the agent's parent (Node), and its process"],
  ['agent started', 'gateway called', 'the agent starts, to its first call at the gateway'],
  ['gateway called', 'model called', 'from there to its first call of a model'],
] as const;

export const agentStart: Bench = {
  name: 'agent-start',
  about: `From the lease to the first request of ${agents.map(({ kind }) => kind).join(', ')} at the gateway, by part; a scripted model, one run at a time.`,
  async run(stage) {
    build();
    const model = await startModel(stage);
    const { client, worker } = await startHive(stage, model, ['codex', 'pi']);
    await worker.start();
    const figures: Figure[] = [];
    for (const agent of agents) {
      const body = { name: agent.kind, repository: makeRepository(stage), agent };
      const { id } = await client.request('POST', '/api/projects', { body, schema: project });
      // The first clones the repository and brings the agent into the file cache.
      await follow(client, id, model);
      const ways: Moments[][] = [];
      for (let round = 0; round < rounds; round++) {
        const way: Moments[] = [];
        for (let i = 0; i < runsARound; i++) way.push(await follow(client, id, model));
        ways.push(way);
        stage.say(`${agent.kind}: round ${round + 1} of ${rounds}`);
      }
      figures.push(...figuresOf(agent.kind, ways));
    }
    return figures;
  },
};

function figuresOf(kind: string, ways: readonly (readonly Moments[])[]): Figure[] {
  const between = (from: string, to: string) => ways.map(way => way.map(moments => at(moments, to) - at(moments, from)));
  return [
    ...latency(`${kind}: lease → first request at the gateway`, { rounds: between('leased', 'gateway called') }),
    ...parts.flatMap(([from, to, name]) => latency(`${kind}: ${name}`, { rounds: between(from, to) }).slice(0, 1)),
  ];
}

function at(moments: Moments, name: string): number {
  const found = moments.get(name);
  if (found === undefined) throw new Error(`nobody saw "${name}", only ${[...moments.keys()].join(', ')}`);
  return found;
}

/** The least that an agent can be: it asks, and writes a file. */
function askByCurl(): string {
  const question = '{"model":"bench/scripted","messages":[{"role":"user","content":"?"}],"stream":true}';
  const head = '-H "authorization: Bearer $SKEP_RUN_TOKEN" -H "content-type: application/json"';
  if (!existsSync('/usr/bin/curl')) throw new Error('needs the Debian package curl');
  return `curl -sS ${head} -d '${question}' "$SKEP_GATEWAY_URL/v1/chat/completions" && cat /proc/sys/kernel/random/uuid > note.txt`;
}
