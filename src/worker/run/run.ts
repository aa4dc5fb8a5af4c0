import type { Claimed } from '../../../contract/runs.ts';
import type { Lease } from '../lease.ts';
import { createOutput } from './output.ts';
import type { Output } from './output.ts';
import { createReports } from './reports.ts';
import type { Reports } from './reports.ts';
import type { Secrets } from './secrets/index.ts';
import type { RunTools } from './tools.ts';
import { transcriptBytesMax } from '../../../contract/talk/transcript.ts';
import { createTranscript } from './transcript/index.ts';
import type { Transcript } from './transcript/index.ts';

export interface Started {
  readonly claimed: Claimed;
  readonly tools: RunTools;
  readonly lease: Lease;
  readonly secrets: Secrets;
  /** Aborted when the lease is lost, the worker is stopped, or the run could not be handed over in time. */
  readonly signal: AbortSignal;
}

/** A run that this worker holds. */
export interface Run extends Started {
  readonly reports: Reports;
  /** Tells the server which part of the run begins. */
  phase(name: string): void;
  /** The next part of its log. One at a time: it begins where the one before ended. */
  openOutput(): Output;
  /** What its agent does, as events. One a run. */
  openTranscript(): Transcript;
}

/** For all that comes after the end of an agent or of the last check: the rest of the output, the collecting, the upload. */
export const closingMsMax = 600_000;

export function runOf(started: Started): Run {
  const { tools, lease, secrets, claimed } = started;
  const reports = createReports({ ...tools, lease, secrets });
  let at = 0;

  function openOutput(): Output {
    const bytesMax = Math.max(0, claimed.limits.output_bytes_max - at);
    const output = createOutput({ ...tools, lease, append: tools.protocol.appendLog, veil: secrets.veil, at, bytesMax });
    return { ...output, end: () => output.end().finally(() => void (at = output.logged())) };
  }

  function openTranscript(): Transcript {
    const append = tools.protocol.appendTranscript;
    const { folder, clock, log } = tools;
    const output = createOutput({ folder, clock, log, lease, append, isLines: true, at: 0, bytesMax: transcriptBytesMax });
    return createTranscript({ output, clock: tools.clock });
  }

  return { ...started, reports, phase: name => reports.add('phase.started', { phase: name }), openOutput, openTranscript };
}
