import { project } from '../contract/projects.ts';
import { claimed, runAnswer } from '../contract/runs.ts';
import { ticket } from '../contract/tickets.ts';
import type { Client } from '../src/client/index.ts';
import { type Bench, latency, type Stage } from './harness/bench.ts';
import { freshServer } from './harness/processes.ts';

const rounds = 5;
const linksARound = 40;

export const completeToClaim: Bench = {
  name: 'complete-to-claim',
  about: 'From POST /complete of a ticket to the claim, already waiting, of the one that depends on it; a chain of tickets.',
  async run(stage) {
    const { client } = await freshServer(stage);
    const fromSending: number[][] = [];
    const fromAnswer: number[][] = [];
    for (let round = 0; round < rounds; round++) {
      const links = await passAlong(stage, client, round);
      fromSending.push(links.map(link => link.fromSendingMs));
      fromAnswer.push(links.map(link => link.fromAnswerMs));
    }
    return [
      ...latency('complete sent → dependant claimed', { rounds: fromSending }),
      ...latency('complete answered → dependant claimed', { rounds: fromAnswer }),
    ];
  },
};

interface Link {
  readonly fromSendingMs: number;
  readonly fromAnswerMs: number;
}

async function passAlong(stage: Stage, client: Client, round: number): Promise<Link[]> {
  await makeChain(client, round);
  const links: Link[] = [];
  let held = await claim(client);
  for (let i = 0; i < linksARound; i++) {
    const next = claim(client).then(given => ({ given, at: performance.now() }));
    const { run, lease } = held;
    const sent = performance.now();
    await client.request('POST', '/api/complete', {
      body: { run_id: run.id, token: lease.token, result: { summary: 'done' } },
      schema: runAnswer,
    });
    const answered = performance.now();
    const { given, at } = await next;
    links.push({ fromSendingMs: at - sent, fromAnswerMs: at - answered });
    held = given;
  }
  await client.request('POST', '/api/complete', { body: { run_id: held.run.id, token: held.lease.token }, schema: runAnswer });
  stage.say(`round ${round + 1}: ${links.length} tickets passed along`);
  return links;
}

async function makeChain(client: Client, round: number): Promise<void> {
  const { id } = await client.request('POST', '/api/projects', { body: { name: `chain ${round}` }, schema: project });
  let last: readonly string[] = [];
  for (let i = 0; i <= linksARound; i++) {
    const body = { project_id: id, title: `Link ${i}`, depends_on: last };
    last = [(await client.request('POST', '/api/tickets', { body, schema: ticket })).id];
  }
}

function claim(client: Client) {
  return client.request('POST', '/api/claim', { body: { worker: 'bench', wait_ms: 20_000 }, schema: claimed });
}
