import { usage } from '../command.ts';
import { Fault } from '../../kernel/fault.ts';
import type { FaultCode } from '../../kernel/fault.ts';

interface Kind {
  readonly noun: 'session' | 'run' | 'token' | 'change' | 'review' | 'question' | 'budget';
  readonly notFound: FaultCode;
  /** All that there are; asked only when the id is shortened. */
  readonly all: () => Promise<readonly string[]>;
}

/**
 * The whole id for one that was typed, which may be shortened to its first characters. Throws the kind's own `…_not_found`
 * when nothing begins so, `invalid_request` when it is too short or several do.
 */
export async function wholeId(given: string, { noun, notFound, all }: Kind): Promise<string> {
  const id = given.toLowerCase();
  if (uuid.test(id)) return id;
  if (!/^[0-9a-f-]+$/.test(id)) throw usage(`'${given}' is no id of a ${noun}`, seeList(noun));
  if (id.length < prefixLengthMin) {
    throw usage(`'${given}' is too short for an id`, `Give at least its first ${prefixLengthMin} characters`);
  }
  const matching = (await all()).filter(candidate => candidate.startsWith(id));
  const [only, second] = matching;
  if (only === undefined) throw new Fault(notFound, { message: `No ${noun} begins with ${given}`, hint: seeList(noun) });
  if (second === undefined) return only;
  throw usage(`${given} is the beginning of ${matching.length} ${noun}s`, `Give more of it: ${matching.slice(0, 5).join(', ')}`);
}

/** `TKT-001` for `TKT-001`, `tkt-1` and `1`. */
export function ticketId(given: string): string {
  const number = /^(?:tkt-)?(\d{1,9})$/i.exec(given)?.[1];
  if (number === undefined) throw usage(`'${given}' is no id of a ticket`, 'It looks like TKT-001; see: skep ticket list');
  return `TKT-${number.replace(/^0+(?=\d)/, '').padStart(3, '0')}`;
}

/** `TKT-001,TKT-002` as a list. */
export function ticketIds(given: string): string[] {
  return given
    .split(',')
    .map(part => part.trim())
    .filter(part => part !== '')
    .map(ticketId);
}

/** What tables show of an id. */
export function shortId(id: string): string {
  return id.slice(0, 8);
}

export function isUuid(text: string): boolean {
  return uuid.test(text.toLowerCase());
}

const prefixLengthMin = 4;
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

function seeList(noun: string): string {
  return `See: skep ${noun} list`;
}
