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
/** On 127.0.0.1 of the sandbox; what connects there comes out at `gatewayPath`. */
export const gatewayPort = 7711;
export const gatewayUrl = `http://127.0.0.1:${gatewayPort}/gateway`;
