/**
 * What a worker and the parent of an agent in its sandbox (src/inside/host.ts) say to each other over the link at `controlPath`: JSON,
 * one document a line. A link and no variable of the environment: a prompt is longer than a variable may be, and what is told here
 * is seen neither by the agent nor by what it starts.
 */

/** The first line, from the worker. */
export interface Job {
  readonly argv: readonly [string, ...string[]];
  /** Beside PATH, HOME and LANG. */
  readonly env: Readonly<Record<string, string>>;
  /** Folders in front of the sandbox's own PATH, and behind it. */
  readonly path: { readonly first: readonly string[]; readonly last: readonly string[] };
  readonly stdin: string;
  readonly home: readonly HomeFile[];
  readonly ports: readonly Port[];
}

/** Programs speak TCP, and what leads out of a sandbox is a unix socket: what connects to 127.0.0.1:`port` comes out at `path`. */
export interface Port {
  readonly port: number;
  readonly path: string;
}

/** A file of the agent's HOME, which is empty at first; or a link to what the sandbox shows elsewhere. */
export type HomeFile = { readonly path: string; readonly content: string } | { readonly path: string; readonly target: string };

/** Later lines from the worker. */
export interface HostOrder {
  readonly order: 'interrupt';
}

/** Lines from the sandbox. How the agent ended is told by the exit of its parent. */
export type HostEvent =
  | { readonly event: 'started' }
  /** The program does not exist in the sandbox or cannot be executed. */
  | { readonly event: 'not_found' }
  | { readonly event: 'failed'; readonly message: string };

export const controlPath = '/skep/control.sock';
export const gatewayPath = '/skep/gateway.sock';
const gatewayPort = 7711;
export const gatewayUrl = `http://127.0.0.1:${gatewayPort}/gateway`;

export const egressPath = '/skep/egress.sock';
const egressPort = 7712;
export const gatewayDoor: Port = { port: gatewayPort, path: gatewayPath };
export const egressDoor: Port = { port: egressPort, path: egressPath };

const proxy = `http://127.0.0.1:${egressPort}`;
const direct = '127.0.0.1,localhost,::1';
/** By these, programs find the proxy. Some look for the small names and some for the large ones; Node from 22.21 on wants to be told to look. */
export const egressEnv: Readonly<Record<string, string>> = {
  ...{ http_proxy: proxy, https_proxy: proxy, all_proxy: proxy, no_proxy: direct },
  ...{ HTTP_PROXY: proxy, HTTPS_PROXY: proxy, ALL_PROXY: proxy, NO_PROXY: direct },
  NODE_USE_ENV_PROXY: '1',
};
