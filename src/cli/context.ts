import { readFileSync } from 'node:fs';
import type { Client } from '../client/index.ts';
import type { Environment, Settings } from '../config.ts';
import type { Clock } from '../kernel/clock.ts';
import { Fault } from '../kernel/fault.ts';

/** What the program is given of the machine: main.ts hands in the process, tests hand in their own. */
export interface World {
  /** What was typed after `skep`. */
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly out: Output;
  readonly err: Output;
  readonly input: Input;
  readonly clock: Clock;
  settings(overrides: Environment): Promise<Settings>;
  /**
   * Resolves when the process is asked to end. From the first call on the process does not end by itself; it ends at once,
   * with 130, at a signal that no call waits for.
   */
  stopRequested(): Promise<StopSignal>;
}

export type StopSignal = 'SIGINT' | 'SIGTERM';

export interface Output {
  write(text: string | Uint8Array): void;
  readonly isTerminal: boolean;
  readonly hasColour: boolean;
  /** Of the terminal as it is now; undefined where it does not tell. */
  size?(): Size | undefined;
}

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

export interface Input {
  readonly isTerminal: boolean;
  /** All of stdin; throws Fault `too_large` beyond `bytesMax`. */
  read(bytesMax: number): Promise<Buffer>;
  ask(question: string): Promise<string>;
}

/** What a command works with. */
export interface Context {
  readonly out: Output;
  readonly err: Output;
  readonly client: Client;
  readonly clock: Clock;
  readonly json: boolean;
  /** Whether a person can be asked. */
  readonly isTerminal: boolean;
  /** The server's URL without a slash at its end. */
  readonly server: string;
  readonly token: string | undefined;
  /** Prints one JSON document with --json, otherwise the text. */
  show(document: object, text: () => string): void;
}

export interface RemoteOptions {
  readonly json?: boolean;
  /** SKEP_HOME, where a command takes it. */
  readonly home?: string;
  readonly server?: string;
  readonly token?: string;
  readonly tokenFile?: string;
}

/**
 * The context of a command that talks to a server: the one that was named, else the one of this machine that has left its note,
 * else one of the command's own where its data is here. Throws Fault `invalid_config` for a bad URL or an unreadable token file.
 */
export async function connect(world: World, options: RemoteOptions, { mayStart = true } = {}): Promise<Context> {
  const { settings, token, isNamed } = await addressed(world, options);
  const json = options.json === true;
  if (isNamed) return contextAt(world, { server: settings.SKEP_SERVER, token, json });
  const { readNote } = await import('./server/note.ts');
  const note = readNote(settings.SKEP_HOME);
  if (note !== undefined) return contextAt(world, { server: note.url, token: token ?? note.token, json });
  const { hasData, startTemporary } = await import('./place/temporary.ts');
  if (mayStart && token === undefined && hasData(settings)) return startTemporary(world, { settings, json });
  return contextAt(world, { server: settings.SKEP_SERVER, token, json });
}

/** What was said of the server, by options and by the environment. */
export async function addressed(world: World, options: RemoteOptions) {
  const settings = await world.settings({
    SKEP_SERVER: options.server,
    SKEP_TOKEN: givenToken(options),
    SKEP_HOME: options.home,
  });
  const wasTyped = [options.server, options.token, options.tokenFile].some(value => value !== undefined);
  return { settings, token: settings.SKEP_TOKEN, isNamed: wasTyped || settings.SKEP_SERVER !== usualServer };
}

/** Who names this one names none: it is what stands for one that was not named. */
const usualServer = 'http://127.0.0.1:8080';

interface Address {
  readonly server: string;
  readonly token: string | undefined;
  readonly json: boolean;
}

export async function contextAt(world: World, { server: given, token, json }: Address): Promise<Context> {
  const { createClient } = await import('../client/index.ts');
  const server = given.replace(/\/+$/, '');
  const { out, err, clock } = world;
  return {
    out,
    err,
    clock,
    server,
    token,
    client: createClient({ server, token, clock }),
    json,
    isTerminal: world.input.isTerminal && err.isTerminal,
    show: (document, text) => out.write(json ? `${JSON.stringify(document)}\n` : withNewline(text())),
  };
}

function givenToken({ token, tokenFile }: RemoteOptions): string | undefined {
  if (token !== undefined || tokenFile === undefined) return token;
  try {
    return readFileSync(tokenFile, 'utf8').trim();
  } catch (cause) {
    throw new Fault('invalid_config', {
      message: `The token file ${tokenFile} cannot be read`,
      hint: 'Give --token-file the path of a file that holds nothing but the token',
      cause,
    });
  }
}

function withNewline(text: string): string {
  return text === '' || text.endsWith('\n') ? text : `${text}\n`;
}
