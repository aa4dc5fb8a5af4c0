import type { ReportAnswer, ReportInput } from '../../../../contract/talk/report-back.ts';
import { Fault, faults } from '../../../../src/kernel/fault.ts';
import type { Call, Protocol } from '../../../../src/worker/client.ts';
import type { CallOptions } from '../network.ts';
import type { World } from '../parts.ts';
import type { Process } from '../process.ts';
import type { ServerVerbs } from '../server/verbs.ts';

/** Open files by their descriptor: what a worker hands to its protocol. */
export interface Files {
  open(bytes: Buffer): number;
  read(descriptor: number): Buffer;
}

export function createFiles(): Files {
  const files: Buffer[] = [];
  return {
    open: bytes => files.push(bytes) - 1,
    read(descriptor) {
      const bytes = files[descriptor];
      if (bytes === undefined) throw new Error(`no file is open as ${descriptor}`);
      return bytes;
    },
  };
}

interface Speaker {
  readonly name: string;
  readonly number: number;
  readonly process: Process;
  readonly files: Files;
}

const claimSlackMs = 10_000;

/** How a worker of the simulated world speaks: the product's own protocol, each call over the simulated network. */
export function simulatedProtocol(world: World, { name, number, process, files }: Speaker): Protocol & Fetching & Talking {
  const ask = <T>(verb: (server: ServerVerbs, gone: AbortSignal) => Promise<T>, options: CallOptions): Promise<T> =>
    world.network.call({ ...options, from: process, to: world.serverOf(number) }, verb);
  return {
    claim: ({ worker, capabilities, waitMs }, signal) =>
      ask((server, gone) => server.claim({ worker, capabilities, waitMs }, gone), { signal, timeoutMs: waitMs + claimSlackMs }),
    async heartbeat(key, progress, call) {
      const { isHalted, ...lease } = await ask(
        server => server.heartbeat(name, key, progress.state === 'ended' ? undefined : progress),
        call,
      );
      return isHalted ? { ...lease, halt: { kind: 'budget', message: 'spent' } } : lease;
    },
    appendLog: (key, chunk, call) =>
      ask(server => server.log(name, key, { offset: chunk.offset, bytes: Buffer.from(chunk.bytes) }), call),
    putBundle: (key, descriptor, call) => ask(server => server.bundle(name, key, files.read(descriptor)), call),
    // Its agents tell no events.
    appendTranscript: () => Promise.reject(new Fault('internal', { message: faults.internal.text })),
    putArtifact: () => Promise.reject(new Fault('internal', { message: faults.internal.text })),
    conversation: () => Promise.resolve(undefined),
    report: (key, event, call) => ask(server => server.report(name, key, event), call),
    complete: (key, result, call) => ask(server => server.complete(name, key, result), call),
    park: (key, result, call) => ask(server => server.park(name, key, result), call),
    fail: (key, failure, call) => ask(server => server.fail(name, key, failure), call),
    fetch: (key, call) => ask(server => server.fetch(name, key), call),
    callModel: (runToken, call) => ask((server, gone) => server.callModel(runToken, gone), call),
    askHuman: (runToken, asked, call) => ask((server, gone) => server.askHuman(runToken, asked, gone), call),
  };
}

/** What its agents say with the token of their run. */
export interface Talking {
  callModel(runToken: string, call: CallOptions): Promise<number>;
  askHuman(runToken: string, asked: ReportInput<'ask_human'>, call: CallOptions): Promise<ReportAnswer>;
}

export interface Fetching {
  /** What git fetches for the holder of a run: the commits of its task. */
  fetch(key: { readonly runId: string; readonly token: string }, call: Call): Promise<readonly string[]>;
}
