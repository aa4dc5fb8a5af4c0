import { createReadStream, existsSync, rmSync } from 'node:fs';
import { Readable } from 'node:stream';
import { blobStored, runAnswer } from '../../../contract/runs.ts';
import type { Client } from '../../client/index.ts';
import { failpoint } from '../../kernel/failpoint.ts';
import { isFault } from '../../kernel/fault.ts';
import type { Note } from './notes.ts';

/** What the server is told of a run of a dead worker: without a lease, by the fence of its claim. Without retries. */
interface HomeCalls {
  /** Sends a file, which is gone when the server has it. False where there is none. */
  put(note: Note, part: Part): Promise<boolean>;
  /** False where nobody holds the run by this claim any more. */
  bury(note: Note, signal: AbortSignal): Promise<boolean>;
}

interface Part {
  readonly file: string;
  /** Of what is not the work itself. */
  readonly artifact?: string;
  readonly signal: AbortSignal;
}

const uploadTimeoutMs = 600_000;

export function homeCalls(client: Client): HomeCalls {
  return {
    async put({ runId, fence }, { file, artifact, signal }) {
      if (!existsSync(file)) return false;
      const content = (): ReadableStream<Uint8Array> => Readable.toWeb(createReadStream(file)) as ReadableStream<Uint8Array>;
      failpoint('before-rescue-upload');
      await client.request('PUT', `/api/runs/${runId}/rescue`, {
        query: { fence, artifact },
        raw: { type: 'application/octet-stream', content },
        schema: blobStored,
        timeoutMs: uploadTimeoutMs,
        signal,
      });
      failpoint('after-rescue-upload');
      rmSync(file, { force: true });
      return true;
    },
    async bury({ runId, fence }, signal) {
      try {
        await client.request('POST', `/api/runs/${runId}/bury`, { body: { fence }, schema: runAnswer, signal });
        return true;
      } catch (error) {
        if (isFault(error, 'wrong_state') || isFault(error, 'run_not_found')) return false;
        throw error;
      }
    },
  };
}
