import { parentPort } from 'node:worker_threads';
import { type Done, perform, type Task } from './tasks.ts';

// Refusals are thrown by the thousand and nobody reads where; `main.ts SEED` says it.
Error.stackTraceLimit = 0;

parentPort?.on('message', (task: Task) => {
  perform(task).then(
    done => answer({ done }),
    (error: unknown) => answer({ error: error instanceof Error ? error.stack : String(error) }),
  );
});

function answer(said: { readonly done: Done } | { readonly error: string | undefined }): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin; windows have
  parentPort?.postMessage(said);
}
