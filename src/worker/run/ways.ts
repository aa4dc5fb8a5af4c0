import { createEgress } from '../egress/index.ts';
import { createGuard } from '../egress/guard.ts';
import { systemLookup } from '../egress/reach.ts';
import { createRefusals } from '../egress/refusals.ts';
import { openGateway } from '../gateway/index.ts';
import { createHost } from '../host/index.ts';
import type { HostedProgram } from '../host/index.ts';
import { egressDoor, egressEnv, egressPath, gatewayDoor } from '../host/job.ts';
import type { Port } from '../host/job.ts';
import { execInSteps } from '../host/steps.ts';
import type { Sandbox, SandboxExit, SandboxLink, SandboxSpec } from '../sandbox.ts';
import type { Run } from './run.ts';

/** All that leads out of the sandbox of one run: to the gateway, to what its project's rules name, or nothing. */
export interface Ways {
  /** What the sandbox must be made with. */
  readonly folders: SandboxSpec['folders'];
  readonly links: readonly SandboxLink[];
  /** What its programs must know. */
  readonly env: Readonly<Record<string, string>>;
  readonly hasGateway: boolean;
  /** Makes ready for the first program in this sandbox, which may be given it later; see Host. */
  prepare(sandbox: Sandbox): void;
  /** As `exec` of the sandbox, with the ways open. One program after another. */
  run(sandbox: Sandbox, program: HostedProgram): Promise<SandboxExit>;
  /** Whether the program waits for what is outside. */
  isCalling(): boolean;
  /** Tells, when the last program has ended, how often each host was refused. */
  sumUp(): void;
  /** Breaks off all calls. */
  close(): void;
}

interface Wanted {
  readonly gateway: boolean;
  readonly network: boolean;
}

/** To be closed when the run ends. Without rules nothing is opened for the network. */
export async function openWays(run: Run, wanted: Wanted): Promise<Ways> {
  const { claimed, tools } = run;
  const opened = [
    ...(wanted.gateway ? [await gatewayWay(run)] : []),
    ...(wanted.network && claimed.network.length > 0 ? [await networkWay(run)] : []),
  ];
  if (opened.length === 0) return noWays(run);
  const ports = opened.map(({ door }) => door);
  const host = await createHost(tools.clock, ports);
  return {
    folders: host.folders,
    links: [host.link, ...opened.map(({ link }) => link)],
    env: Object.assign({}, ...opened.map(({ env }) => env)) as Ways['env'],
    hasGateway: wanted.gateway,
    prepare: sandbox => host.prepare(sandbox, run.signal),
    run: host.run,
    // Each is asked: one of them counts from when it was asked last.
    isCalling: () => opened.map(({ isCalling }) => isCalling()).includes(true),
    sumUp: () => {
      for (const { sumUp } of opened) sumUp?.();
    },
    close: () => {
      for (const { close } of opened) close();
    },
  };
}

function noWays({ tools }: Run): Ways {
  return {
    ...{ folders: [], links: [], env: {}, hasGateway: false },
    prepare: () => {},
    run: (sandbox, { home: _home, path: _path, ...command }) => execInSteps(sandbox, command, tools.clock),
    isCalling: () => false,
    sumUp: () => {},
    close: () => {},
  };
}

interface Way {
  readonly door: Port;
  readonly link: SandboxLink;
  readonly env: Readonly<Record<string, string>>;
  isCalling(): boolean;
  sumUp?(): void;
  close(): void;
}

async function gatewayWay({ claimed, tools }: Run): Promise<Way> {
  return { door: gatewayDoor, ...(await openGateway(claimed, tools)) };
}

async function networkWay({ claimed, tools, reports }: Run): Promise<Way> {
  const { credentials = new Map(), ownPorts = () => [] } = tools.network ?? {};
  const { server } = await tools.client.access();
  const isGuarded = await createGuard({ server, lookup: systemLookup, ownPorts, clock: tools.clock });
  const refusals = createRefusals(reports);
  const egress = createEgress({ ...tools, rules: claimed.network, credentials, refusals, isGuarded });
  return {
    door: egressDoor,
    link: { path: egressPath, onConnection: connection => egress.accept(connection) },
    env: egressEnv,
    isCalling: egress.hasMoved,
    sumUp: refusals.sumUp,
    close: egress.close,
  };
}
