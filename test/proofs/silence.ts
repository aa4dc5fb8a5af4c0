import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Agent } from '../../src/worker/agent.ts';
import { temporaryFolder } from '../harness/worker.ts';

/**
 * What programs of a sandbox tried to reach, as its kernel counted. A sandbox has the addresses of its own loopback and no others: a
 * connection to anybody else has no route, and a question for a name goes to a port where nobody listens. What goes by the proxy is
 * not among these: the proxy tells of each refusal itself.
 */
export interface Attempts {
  /** Connections and packets to addresses that are not the sandbox's. */
  readonly unrouted: number;
  /** Datagrams, by which names are asked for. */
  readonly datagrams: number;
  /** Connections to a port of the sandbox where nobody listens. */
  readonly refused: number;
}

const marker = 'skep-attempts ';
const folderInside = '/skep/silence';
const tailMax = 10_000;

/** Starts a program, and when it has ended prints what the kernel has counted since. */
const program = `
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';

const words = file => readFileSync('/proc/net/' + file, 'utf8').trim().split('\\n').map(line => line.split(/\\s+/));

/** A line of names and one of numbers for each protocol. */
function v4() {
  const lines = words('snmp');
  return lines.flatMap(([protocol, ...names], at) =>
    at % 2 === 1 ? [] : names.map((name, i) => [protocol.replace(':', '') + name, Number(lines[at + 1][i + 1])]),
  );
}

function counts() {
  const all = Object.fromEntries([...v4(), ...words('snmp6').map(([name, value]) => [name, Number(value)])]);
  return {
    unrouted: all.IpOutNoRoutes + all.Ip6OutNoRoutes,
    datagrams: all.UdpOutDatagrams + all.Udp6OutDatagrams,
    refused: all.TcpAttemptFails,
  };
}

const before = counts();
const [agent, ...args] = process.argv.slice(2);
const child = spawn(agent, args, { stdio: 'inherit' });
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
child.on('exit', (code, signal) => {
  const since = Object.entries(counts()).map(([name, count]) => [name, count - before[name]]);
  const line = '\\n${marker}' + JSON.stringify(Object.fromEntries(since)) + '\\n';
  process.stdout.write(line, () => process.exit(code ?? 128 + constants.signals[signal]));
});
`;

/** The same agent. Where `listener` answers one, it hears of each program that the agent starts what that tried to reach. */
export function watched(agent: Agent, listener: () => ((attempts: Attempts) => void) | undefined): Agent {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'silence.mjs'), program);
  // In a sandbox another user reads it.
  chmodSync(folder, 0o755);

  function run(context: Parameters<Agent['run']>[0]): ReturnType<Agent['run']> {
    const tell = listener();
    if (tell === undefined) return agent.run(context);
    return agent.run({
      ...context,
      async start({ argv, onOutput, ...rest }) {
        let tail = '';
        const exit = await context.start({
          ...{ ...rest, argv: [context.node, `${folderInside}/silence.mjs`, ...argv] },
          onOutput(stream, chunk) {
            if (stream === 'stdout') tail = (tail + chunk.toString('utf8')).slice(-tailMax);
            onOutput(stream, chunk);
          },
        });
        const [, counted] = new RegExp(`${marker}(.*)`).exec(tail) ?? [];
        if (counted !== undefined) tell(JSON.parse(counted) as Attempts);
        return exit;
      },
    });
  }

  return {
    ...agent,
    run,
    async needs(settings) {
      const needs = await agent.needs(settings);
      return needs.kind === 'met' ? { ...needs, folders: [...needs.folders, { from: folder, to: folderInside }] } : needs;
    },
  };
}
