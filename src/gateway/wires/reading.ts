import { halvesOf } from '../model/estimate.ts';
import { failure, failureOfError } from '../model/failure.ts';
import { countOf, type Fields, fieldsOf, isGiven, listOf, parseJson } from '../model/json.ts';
import type { Seen, Short } from './format.ts';

/** An event of a stream, which in every wire is an object. */
export function readEvent(data: string, read: (said: Fields) => Seen): Seen {
  const said = fieldsOf(parseJson(data));
  return said === undefined ? malformed('it sent an event that is not JSON') : read(said);
}

export function malformed(why: string): Seen {
  return { kind: 'error', failure: failure('malformed', why) };
}

export function refused(error: unknown): Seen {
  return { kind: 'error', failure: failureOfError(error) };
}

/** Counts the text of an answer as it comes, for when the provider does not get to say how much it was. */
export function createTextMeter(): { add(text: unknown): void; tokens(): number } {
  let halves = 0;
  return {
    add(text) {
      if (typeof text === 'string') halves += halvesOf(text);
      // A tool's arguments, as some wires have them.
      else if (typeof text === 'object' && text !== null) halves += halvesOf(JSON.stringify(text));
    },
    tokens: () => Math.ceil(halves / 2),
  };
}

/**
 * Remembers the reason for which an answer ended, as the wire calls it. What has no tools is a question beside the work, such as for a
 * title, and may well ask for one word.
 */
export function createStops(body: Fields, names: Readonly<Record<string, Short>>) {
  const isWork = listOf(body['tools']).length > 0;
  let short: Short | undefined;
  return {
    add: (reason: unknown): void => void (short = (typeof reason === 'string' ? names[reason] : undefined) ?? short),
    short: (): Short | undefined => (isWork ? short : undefined),
  };
}

export function isJsonObject(value: unknown): value is Fields {
  return fieldsOf(value) !== undefined;
}

/** Said as the gateway reads it: some servers take "true" or 1 for it too, and would answer with what nobody waits for. */
export function streamField(body: Fields, isStream: boolean): Fields {
  return body['stream'] === undefined ? {} : { stream: isStream };
}

/** Why a count is none; also a text of digits, which some servers take for the number that it names. */
export function refuseNoCount(value: unknown, name: string): string | undefined {
  return isGiven(value) && (countOf(value) ?? 0) < 1 ? `${name}: must be a whole number of at least 1` : undefined;
}

/** What is left of a whole when parts of it are counted by themselves; a provider that says nonsense makes no negative one. */
export function rest(whole: number, ...parts: readonly number[]): number {
  return Math.max(0, whole - parts.reduce((sum, part) => sum + part, 0));
}
