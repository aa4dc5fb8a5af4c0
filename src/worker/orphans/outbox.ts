import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { conversationArtifact } from '../../../contract/runs.ts';
import type { Client } from '../../client/index.ts';
import type { Clock } from '../../kernel/clock.ts';
import { failpoint } from '../../kernel/failpoint.ts';
import { isFault } from '../../kernel/fault.ts';
import type { Fault, FaultCode } from '../../kernel/fault.ts';
import type { Log } from '../../kernel/log.ts';
import { homeCalls } from './calls.ts';
import { nameOf, readNote, writeWhole } from './notes.ts';
import type { LeftNote, Note } from './notes.ts';

/** What the server is still to be told of the runs of dead workers; the bundles lie beside. */
export interface Outbox {
  /** Where what is rescued of a run belongs: its work, and the conversation of its agent. */
  filesOf(note: Note): Files;
  /** From now on the server is to be told of it. */
  add(left: LeftNote): void;
  /** Tells the server: the rescued work, then that nobody holds the run any more. False where something is to be tried again. */
  tell(signal: AbortSignal): Promise<boolean>;
}

export interface Files {
  readonly bundle: string;
  readonly conversation: string;
}

interface Options {
  readonly folder: string;
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Log;
}

/** Told of in one go. */
const entriesMax = 100;
/** Until it is tried again with what the server did not know. */
const refusedMs = 600_000;

export function createOutbox({ folder, client, clock, log }: Options): Outbox {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const calls = homeCalls(client);
  const refused = new Map<string, number>();

  function filesOf(note: Note): Files {
    const path = join(folder, nameOf(note));
    return { bundle: `${path}.bundle`, conversation: `${path}.conversation` };
  }

  function entries(server: string): { note: Note; path: string }[] {
    return readdirSync(folder)
      .filter(name => name.endsWith('.json'))
      .map(name => join(folder, name))
      .flatMap(path => {
        const note = readNote(path);
        return note !== undefined && isSameServer(note.server, server) && !isRefused(note) ? [{ note, path }] : [];
      })
      .slice(0, entriesMax);
  }

  function isRefused(note: Note): boolean {
    return (refused.get(filesOf(note).bundle) ?? 0) > clock.mono();
  }

  /** False where the server does not know the run: it may be one of another worker's tenant. */
  async function upload(note: Note, signal: AbortSignal): Promise<boolean> {
    const { bundle, conversation } = filesOf(note);
    try {
      // Before the work: when that is there the next attempt may begin.
      await calls.put(note, { file: conversation, artifact: conversationArtifact, signal }).catch((error: unknown) => {
        if (!isRefusal(error) || error.code === 'run_not_found') throw error;
        rmSync(conversation, { force: true });
      });
      if (await calls.put(note, { file: bundle, signal }))
        log.warn({ run: note.runId }, 'the work of a run that broke off was rescued');
    } catch (error) {
      if (!isRefusal(error)) throw error;
      log.error({ bundle, reason: error.message }, 'the server does not take rescued work; it stays here');
      refused.set(bundle, clock.mono() + refusedMs);
      if (error.code === 'run_not_found') return false;
    }
    return true;
  }

  return {
    filesOf,
    add({ note, path, id }) {
      const place = join(folder, `${id}.json`);
      try {
        renameSync(path, place);
      } catch (error) {
        if (existsSync(path)) throw error;
        // Somebody else has told of it already, perhaps before there was anything to send.
        writeWhole(place, JSON.stringify(note));
      }
    },
    async tell(signal) {
      const { server } = await client.access();
      let isTold = true;
      for (const { note, path } of entries(server)) {
        try {
          if (!(await upload(note, signal))) continue;
          if (!(await calls.bury(note, signal))) log.debug({ run: note.runId }, 'a run of a dead worker is over already');
          failpoint('after-bury');
          rmSync(path, { force: true });
        } catch (error) {
          log.debug({ run: note.runId, error: String(error) }, 'the server could not be told of a run of a dead worker');
          isTold = false;
          if (signal.aborted || isFault(error, 'server_unavailable')) break;
        }
      }
      return isTold;
    },
  };
}

/** With which it says that trying again is of no use. */
const refusals: ReadonlySet<FaultCode> = new Set([
  'run_not_found',
  'wrong_state',
  'invalid_bundle',
  'too_large',
  'invalid_request',
] as const);

function isRefusal(error: unknown): error is Fault {
  return isFault(error) && refusals.has(error.code);
}

/** A server of this machine may come back at another port. */
function isSameServer(one: string, other: string): boolean {
  return one === other || (isOfThisMachine(one) && isOfThisMachine(other));
}

function isOfThisMachine(server: string): boolean {
  const url = z.url().safeParse(server);
  return url.success && ['127.0.0.1', 'localhost', '[::1]'].includes(new URL(url.data).hostname);
}
