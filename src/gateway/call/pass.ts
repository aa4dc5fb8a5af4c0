import { targetName } from '../model/catalog.ts';
import type { Problem } from '../wires/format.ts';
import type { Frame } from '../wires/frames.ts';
import { failureOfException, type Opened } from './open.ts';
import type { Plan } from './plan.ts';
import { cutProblems } from './problems.ts';
import type { Tally } from './tally.ts';
import { type CallParts, type Client, type Cut, cutOf } from './types.ts';

/** How a call ended; `finish` tells the client, once the call is settled. */
export interface End {
  readonly state: 'completed' | 'failed' | 'incomplete';
  readonly status: number | null;
  readonly errorClass: string | null;
  readonly finish: () => void;
}

export interface Passing {
  readonly plan: Plan;
  readonly opened: Extract<Opened, { kind: 'stream' }>;
  readonly tally: Tally;
  readonly client: Client;
  readonly signal: AbortSignal;
  /** The first byte goes out. */
  readonly onFirstByte: () => void;
}

/** After the terminal event the provider has so long to close, and is left then. */
const closingMsMax = 5_000;

type Ending =
  | { readonly kind: 'whole' }
  /** The provider's own error event was passed on. */
  | { readonly kind: 'error'; readonly class: string }
  /** It ended, or broke, before its terminal event. */
  | { readonly kind: 'broken'; readonly class: string; readonly message: string }
  | { readonly kind: 'cut'; readonly cut: Cut };

/** Passes a stream on as it comes. It is whole only with its terminal event; what ends before is followed by an error of the wire. */
export async function passOn(parts: CallParts, passing: Passing): Promise<End> {
  const { opened, tally, client } = passing;
  client.begin(passedHeaders(opened.headers));
  const ending = await passFrames(parts, passing);
  if (ending.kind === 'whole') tally.whole(opened.reader);
  else tally.lost(opened.reader, { mayHaveThought: true });
  return { ...endOf(ending, passing), status: opened.status };
}

function endOf(ending: Ending, { plan, opened, tally, client }: Passing): Omit<End, 'status'> {
  if (ending.kind === 'whole')
    return { state: 'completed', errorClass: opened.reader.short() ?? null, finish: () => client.end() };
  if (ending.kind === 'error') return { state: 'incomplete', errorClass: ending.class, finish: () => client.end() };
  if (ending.kind === 'cut') {
    const { kind } = ending.cut;
    const finish = kind === 'client_gone' ? () => client.cut() : () => breakOff({ plan, client }, cutProblems[kind]);
    return { state: 'incomplete', errorClass: kind, finish };
  }
  const message = `The answer of the model ${targetName(tally.sum().target)} broke off: ${ending.message}`;
  const problem = { status: 502, code: `model_${ending.class}`, message };
  return { state: 'incomplete', errorClass: ending.class, finish: () => breakOff({ plan, client }, problem) };
}

async function passFrames(parts: CallParts, passing: Passing): Promise<Ending> {
  const { opened, client, signal } = passing;
  const closing = new AbortController();
  let isWhole = false;

  /** Says how it ends where the frame ends it. */
  async function pass({ bytes, seen }: Frame): Promise<Ending | undefined> {
    if (seen.kind === 'hidden' || (isWhole && seen.kind === 'error')) return undefined;
    if (seen.kind === 'error' && seen.failure.class === 'malformed')
      return { kind: 'broken', class: 'malformed', message: seen.failure.message };
    await client.write(bytes);
    if (seen.kind === 'error') return { kind: 'error', class: seen.failure.class };
    if (seen.kind === 'terminal' && !isWhole) {
      isWhole = true;
      void parts.clock.sleep(closingMsMax, AbortSignal.any([closing.signal, signal])).then(opened.leave);
    }
    return undefined;
  }

  try {
    passing.onFirstByte();
    for (const frame of opened.held) {
      const ending = await pass(frame);
      if (ending !== undefined) return ending;
    }
    for await (const frame of opened.rest) {
      if (signal.aborted) throw cutOf(signal);
      const ending = await pass(frame);
      if (ending !== undefined) return ending;
    }
    if (isWhole) return { kind: 'whole' };
    if (signal.aborted) return { kind: 'cut', cut: cutOf(signal) };
    return { kind: 'broken', class: 'cut_off', message: 'it ended before it was whole' };
  } catch (error) {
    if (isWhole) return { kind: 'whole' };
    if (signal.aborted) return { kind: 'cut', cut: cutOf(signal) };
    const why = failureOfException(error, opened.status);
    return { kind: 'broken', class: why.class, message: why.message };
  } finally {
    closing.abort();
    await opened.rest.return(undefined);
  }
}

function breakOff({ plan, client }: Pick<Passing, 'plan' | 'client'>, problem: Problem): void {
  void client.write(plan.format.errorEvent(problem));
  client.cut();
}

/** Of the provider's headers those that help to ask it about an answer. */
export function passedHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    ['content-type', 'request-id', 'x-request-id'].flatMap(name => (headers[name] === undefined ? [] : [[name, headers[name]]])),
  );
}
