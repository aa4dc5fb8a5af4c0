import type { Client } from '../client/index.ts';
import type { Environment, Settings } from '../config.ts';
import type { Clock } from '../kernel/clock.ts';

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
  /** Calls back when the terminal has another size, until what it answers is called. */
  onResize?(changed: () => void): () => void;
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
  /** Calls back with each key, which is not shown, until what it answers is called. Only of a terminal; Ctrl-C is a key then. */
  keys?(pressed: (key: string) => void): () => void;
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
