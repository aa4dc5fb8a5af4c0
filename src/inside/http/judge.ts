import { z } from 'zod';
import { endpointAnswer } from '../../../contract/network/endpoint.ts';
import { refusalWords } from '../../../contract/network/refusals.ts';
import type { RefusalReason } from '../../../contract/network/refusals.ts';
import type { EndpointAnswer } from '../../../contract/network/endpoint.ts';
import type { WhyNoWork } from '../../worker/host/http-turn.ts';
import type { Answer } from './call.ts';

/** Why an answer is no work. */
export class NoWork extends Error {
  readonly why: WhyNoWork;

  constructor(why: WhyNoWork, message: string) {
    super(message);
    this.why = why;
  }
}

/** Of statuses by which somebody says that it may be otherwise soon. */
export const passing: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504]);

const wordsMax = 500;

/** What an endpoint says that it has done. Throws NoWork for all else. */
export function workIn({ status, headers, body, isProxys }: Answer, url: URL): EndpointAnswer {
  const said = words(body);
  if (isProxys && status === 403) throw new NoWork('rule', `${said.replace(/^Skep: /, '')}${mendOf(said, url)}`);
  if (isProxys) throw new NoWork('away', said);
  if (status >= 300 && status < 400)
    throw new NoWork(
      'refused',
      `it answers ${status} and leads to ${headers.location ?? 'nowhere'}; redirects are not followed: name that address itself`,
    );
  if (passing.has(status)) throw new NoWork('away', `it answers ${status}${said === '' ? '' : `: ${said}`}`);
  if (status < 200 || status > 299) throw new NoWork('refused', `it answers ${status}${said === '' ? '' : `: ${said}`}`);
  if (status !== 200) throw new NoWork('malformed', `it answers ${status}; it must answer 200, with what it has done`);
  const { data, error } = endpointAnswer.safeParse(documentOf(body));
  if (error !== undefined)
    throw new NoWork('malformed', `its answer is not as it must be: ${z.prettifyError(error).slice(0, 2_000)}`);
  if (data.status === 'failed') throw new NoWork('gave_up', data.summary.trim() === '' ? 'it gives no reason' : data.summary);
  return data;
}

function documentOf(body: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch (error) {
    throw new NoWork('malformed', `its answer is no JSON (${error instanceof Error ? error.message : String(error)})`);
  }
}

/** What opens the way, where that is a rule: putting one in the place of another could take away what that has. */
function mendOf(said: string, url: URL): string {
  const isFor = (reason: RefusalReason): boolean => said.endsWith(refusalWords[reason]);
  if (isFor('host') || isFor('port'))
    return `. A rule of the project opens the way: skep project network allow PROJECT ${ruleFor(url)}`;
  if (isFor('address')) return `. --private in the rule allows it: skep project network allow PROJECT ${ruleFor(url)} --private`;
  return '';
}

/** As a rule of a network names a host: ports that are usual need not be said. */
function ruleFor({ hostname, port }: URL): string {
  return port === '' ? hostname : `${hostname}:${port}`;
}

/** The beginning of a text that somebody else wrote, on one line. */
export function words(body: Buffer): string {
  return body
    .toString('utf8')
    .replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ')
    .trim()
    .slice(0, wordsMax);
}
