import { constants } from 'node:os';
import type { Fault } from '../../../../kernel/fault.ts';
import { folderFault, setupFault } from '../host/tools.ts';
import type { Launched, Start } from '../launcher.ts';
import { environment, workPath } from '../shown/command.ts';
import type { Job } from './board.ts';
import { argumentsFault, list, stages, text } from './frames.ts';
import type { Report } from './frames.ts';

const [kill, term] = [constants.signals.SIGKILL, constants.signals.SIGTERM];

/** The way of one command to the launcher. */
export interface Line {
  begin(words: readonly Buffer[]): void;
  signal(number: number): void;
  listen(job: Job): void;
  leave(): void;
}

/** Starts a command by the launcher. */
export function launchNative({ command, pipes, ends, stdin, onBegin }: Start, line: Line): Launched {
  let init: number | undefined;
  let report: Report | undefined;
  try {
    const variables = environment(command.env ?? {}).map(([name, value]) => text(`${name}=${value}`));
    const streams = [stdin ?? '', pipes.stdout, pipes.stderr];
    line.begin([...[...streams, workPath(command.cwd)].map(text), list(command.argv.map(text)), list(variables)]);
  } catch (error) {
    ends.closeWriters();
    throw error;
  }
  // Not before: what is told of it is heard later, and to stay for that takes a while.
  const ended = new Promise<number | undefined>(resolve => {
    line.listen({
      onHeld(pid) {
        init = pid;
        ends.closeWriters();
      },
      onBegun: onBegin,
      onRefused: said => void (report = said),
      onEnded(code) {
        init = undefined;
        ends.closeWriters();
        line.leave();
        resolve(code);
      },
    });
  });
  return {
    init: () => init,
    ended,
    refusal: () => refusal(report),
    kill: () => line.signal(kill),
    ask: () => line.signal(term),
  };
}

/** Of the machine, and not of the program that was to be run. */
const machineErrors: readonly number[] = ['ENOMEM', 'EAGAIN', 'EMFILE', 'ENFILE', 'EIO'].map(
  name => constants.errno[name as 'ENOMEM'],
);

function refusal(report: Report | undefined): Fault | 'not_found' {
  if (report === undefined) return setupFault('the launcher of sandboxes ended while it started a command');
  if (report.stage === stages.folder) return folderFault();
  const words = `${report.step}: ${nameOf(report.errno)}`;
  if (report.stage !== stages.program || machineErrors.includes(report.errno)) return setupFault(words);
  return report.errno === constants.errno.E2BIG ? argumentsFault() : 'not_found';
}

export function nameOf(errno: number): string {
  return Object.entries(constants.errno).find(([, value]) => value === errno)?.[0] ?? `error ${errno}`;
}
