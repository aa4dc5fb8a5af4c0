import type { Clock } from '../../kernel/clock.ts';
import { insideFolder, insidePath } from '../inside.ts';
import type { Sandbox, SandboxExit, SandboxLink, SandboxSpec } from '../sandbox.ts';
import { controlPath } from './job.ts';
import type { Port } from './job.ts';
import { startParent } from './parent.ts';
import type { HostedProgram, Parent } from './parent.ts';

export type { HostedProgram };

export interface Host {
  /** To be shown in the sandbox. */
  readonly folders: SandboxSpec['folders'];
  readonly link: SandboxLink;
  /**
   * Starts the parent in a sandbox that is about to be given its first program, which then need not wait for it. When `signal` is aborted
   * before that, it is killed. Never throws: where that does not go well, `run` finds out.
   */
  prepare(sandbox: Sandbox, signal: AbortSignal): void;
  /**
   * As `exec` of the sandbox; the exit of what was asked to end is `aborted`. One program after another. Throws a run failure `sandbox` where the parent itself
   * can't be started.
   */
  run(sandbox: Sandbox, program: HostedProgram): Promise<SandboxExit>;
}

export async function createHost(clock: Clock, ports: readonly Port[]): Promise<Host> {
  let next: Parent | undefined;
  let waiting: { readonly sandbox: Sandbox; readonly parent: Parent } | undefined;

  function start(sandbox: Sandbox): Parent {
    next = startParent(sandbox, { clock, ports });
    return next;
  }

  return {
    folders: [{ from: await insideFolder(), to: insidePath }],
    link: {
      path: controlPath,
      // The parent connects before any program of others runs: whoever comes after it is not the parent.
      onConnection(connection) {
        const parent = next;
        next = undefined;
        if (parent === undefined) connection.destroy();
        else parent.connected(connection);
      },
    },
    prepare(sandbox, signal) {
      const parent = start(sandbox);
      waiting = { sandbox, parent };
      parent.endWith(signal);
    },
    async run(sandbox, program) {
      const prepared = waiting?.sandbox === sandbox && waiting.parent.isWaiting() ? waiting.parent : undefined;
      waiting = undefined;
      const parent = prepared ?? start(sandbox);
      try {
        return await parent.work(program);
      } finally {
        if (next === parent) next = undefined;
      }
    },
  };
}
