import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { Socket } from 'node:net';
import type { Engine } from './engine.ts';
import { ownerLabel } from './arguments.ts';

/** Stands in the arguments of the guard, so that it can be told from a process that was forgotten. */
export const guardName = 'skep-container-guard';

/**
 * A container is no child of its worker and would outlive it. This process waits for the worker's end, however that comes, which it sees
 * as the end of its standard input, and then kills what the worker's containers run. Some may just be coming to be: hence more than once.
 */
const GUARD = `
owner=$1
shift
cat > /dev/null
for pause in 0.3 1 3 0; do
  ids=$("$@" ps --all --quiet --filter "label=${ownerLabel}=$owner" 2> /dev/null)
  if [ -n "$ids" ]; then
    "$@" kill --signal KILL $ids > /dev/null 2>&1
    "$@" rm --force $ids > /dev/null 2>&1
  fi
  sleep "$pause"
done`;

/** Started with the first container. It ends by itself after the worker. */
export function createGuard(engine: Engine, owner: string): { stand(): void } {
  let guard: ChildProcess | undefined;
  return {
    stand() {
      if (guard?.pid !== undefined && guard.exitCode === null && guard.signalCode === null) return;
      const args = ['-c', GUARD, guardName, owner, ...engine.argv];
      // Apart from the worker's group: what is sent to that from a terminal is not meant for the guard.
      guard = spawn('/bin/sh', args, { stdio: ['pipe', 'ignore', 'ignore'], env: engine.env, cwd: '/', detached: true });
      guard.on('error', () => {});
      guard.stdin?.on('error', () => {});
      guard.unref();
      if (guard.stdin instanceof Socket) guard.stdin.unref();
    },
  };
}
