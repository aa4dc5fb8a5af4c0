/** The worker: claims runs over HTTP and executes them in sandboxes. */
export { createWorker, runOnce } from './loop.ts';
export type { Worker, WorkerChange, WorkerOptions } from './loop.ts';
export type { RunEnd } from './run/index.ts';
export { readCredentials } from './egress/credentials.ts';
export { findSandboxesHere } from './control/client.ts';
export type { SandboxHere } from './control/client.ts';
export { stdinBytesMax } from './control/wire.ts';
export { nodeInside } from './inside.ts';
export type { Lack, SandboxProvider, SandboxSpec } from './sandbox.ts';
