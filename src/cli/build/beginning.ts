import type { Context, World } from '../context.ts';
import type { Commands } from './commands.ts';
import type { BuildOptions } from './options.ts';

/** What the steps are taken with that lead to a session that builds. */
export interface Beginning {
  readonly world: World;
  readonly context: Context;
  readonly options: BuildOptions;
  readonly commands: Commands;
  /** For steps that may be taken twice: takes them again at another server where the one that was used goes away. */
  readonly steadily: <T>(step: (context: Context) => Promise<T>) => Promise<T>;
  /** What it is aborted with is thrown. */
  readonly signal: AbortSignal;
  /** Lets a worker begin, where there is none: what plans runs in a sandbox too. */
  readonly startWork: () => Promise<void>;
  /** In whose hands the work is, for people; undefined: in this process's own. */
  readonly host: () => string | undefined;
}
