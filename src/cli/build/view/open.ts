import type { Context, World } from '../../context.ts';
import type { Commands } from '../commands.ts';
import type { Reporter } from '../follow/news.ts';
import { watchOutputs } from '../follow/outputs.ts';
import type { Build } from '../follow/watch.ts';
import { jsonReporter, linesReporter, liveReporter } from './report.ts';

interface Wanted {
  readonly build: Build;
  readonly context: () => Context;
  readonly plain: boolean;
  readonly commands: Commands;
  /** By `clock.mono`. */
  readonly begun: number;
}

export interface View {
  readonly reporter: Reporter;
  /** Gives the terminal back. */
  close(): void;
}

/** A live view on a terminal, lines for everything else, JSON for programs. */
export function openView({ out, clock }: World, { build, context, plain, begun, commands }: Wanted): View {
  const at = { out, clock, begun };
  if (context().json) return { reporter: jsonReporter(at), close() {} };
  if (plain || !out.isTerminal || out.size?.() === undefined) return { reporter: linesReporter(at), close() {} };
  const outputs = watchOutputs(context, clock);
  const reporter = liveReporter({ ...at, build, outputs, foot: `Ctrl-C stops it; ${commands.resume()} goes on` });
  return {
    reporter,
    close() {
      outputs.stop();
      reporter.pause();
    },
  };
}
