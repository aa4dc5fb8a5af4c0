import { agentStart } from './agent-start/agent-start.ts';
import { agentsBench } from './agents/agents.ts';
import { buildBench, graphBench, mergeToClaim } from './build/build.ts';
import { claims } from './claims.ts';
import { completeToClaim } from './complete-to-claim.ts';
import { decision } from './cost/decision.ts';
import { memory } from './cost/memory.ts';
import { ticketCost } from './cost/ticket.ts';
import { demo } from './demo.ts';
import { events } from './events.ts';
import { growth } from './growth/growth.ts';
import type { Bench, Stage } from './harness/bench.ts';
import { gateway } from './gateway/gateway.ts';
import { http } from './http.ts';
import { readyToAgent } from './ready-to-agent.ts';
import { claimComplete } from './peers/claim-complete.ts';
import { keepAsBaseline, machine, publish, type Result } from './report.ts';
import { recovery } from './recovery/recovery.ts';
import { reservations } from './reservations.ts';
import { sandbox } from './sandbox/sandbox.ts';
import { start } from './start.ts';

const benches: readonly Bench[] = [
  claims,
  claimComplete,
  ticketCost,
  decision,
  growth,
  memory,
  events,
  start,
  readyToAgent,
  agentStart,
  agentsBench,
  completeToClaim,
  http,
  buildBench,
  graphBench,
  mergeToClaim,
  recovery,
  reservations,
  gateway,
  demo,
  sandbox,
];

const usage = `npm run bench -- [--keep] [name...]   all without a name; --keep makes the run the new baseline
${benches.map(({ name, about }) => `  ${name.padEnd(18)} ${about}`).join('\n')}`;

const words = process.argv.slice(2);
const names = words.filter(word => !word.startsWith('-'));
const isKept = words.includes('--keep');
const isKnown = (name: string) => benches.some(bench => bench.name === name);
if (words.some(word => (word.startsWith('-') ? word !== '--keep' : !isKnown(word)))) {
  console.error(usage);
  process.exitCode = 2;
} else {
  for (const bench of benches.filter(({ name }) => names.length === 0 || names.includes(name))) await perform(bench);
}

async function perform(bench: Bench): Promise<void> {
  const stops: (() => Promise<unknown>)[] = [];
  const versions = new Set<string>();
  const stage: Stage = {
    atEnd: stop => void stops.push(stop),
    say: line => console.error(`  ${line}`),
    measuredOn: version => void versions.add(version),
  };
  const clear = async () => {
    for (let stop = stops.pop(); stop !== undefined; stop = stops.pop()) await stop();
  };
  const onSignal = () => void clear().finally(() => process.exit(130));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, onSignal);
  try {
    console.error(`${bench.name}: ${bench.about}`);
    const before = machine();
    const figures = await bench.run(stage);
    const { name } = bench;
    const date = new Date().toISOString();
    const postgres = versions.size === 0 ? null : [...versions].join(' and ');
    const result: Result = { name, date, node: process.versions.node, postgres, machine: before, figures };
    publish(result);
    if (isKept) keepAsBaseline(result);
  } finally {
    await clear();
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, onSignal);
  }
}
