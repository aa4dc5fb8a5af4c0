import type { FailureClass } from '../../contract/runs.ts';
import { Fault, isFault } from '../kernel/fault.ts';
import { storable } from '../kernel/json.ts';

/** Why a run failed, as POST /fail takes it. */
export interface Failure {
  readonly class: FailureClass;
  readonly message: string;
}

const messageCharactersMax = 4_000;

/** To throw from any phase: the run ends with this failure. */
export function runFailure(failureClass: FailureClass, message: string): Fault {
  return new Fault('failed', { message, facts: { class: failureClass } });
}

/** Every error that ends a run has a class; what nobody foresaw is the worker's own fault and worth another try. */
export function failureOf(error: unknown, withoutSecrets: (text: string) => string = text => text): Failure {
  // It may hold what somebody outside has said, and is cut wherever it is too long.
  const words = withoutSecrets(error instanceof Error ? error.message : String(error));
  const message = storable(words.slice(0, messageCharactersMax));
  if (!isFault(error)) return { class: 'sandbox', message: `The worker failed: ${message}`.slice(0, messageCharactersMax) };
  if (error.code === 'failed' && error.facts['class'] !== undefined)
    return { class: error.facts['class'] as FailureClass, message };
  if (error.code === 'shutting_down') return { class: 'stopped', message };
  if (error.code === 'server_unavailable') return { class: 'network', message };
  if (error.code === 'too_large') return { class: 'output_limit', message };
  if (error.code === 'invalid_bundle') return { class: 'agent_failed', message };
  return { class: 'sandbox', message };
}

/** The end of what a program printed, fit to be shown: no control characters, whole characters, the last `bytesMax` bytes. */
export function lastWords(output: Buffer, bytesMax = 1_500): string {
  const text = output.subarray(Math.max(0, output.length - bytesMax)).toString('utf8');
  return text.replace(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\ufffd]/g, '').trim();
}
