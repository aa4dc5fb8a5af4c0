import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import type { NetworkRule } from '../../../../contract/network/rules.ts';
import { endToEnd } from '../../gateway/head.ts';
import type { Credential } from '../credentials.ts';
import { judge } from '../names/rules.ts';
import { parseTarget } from '../names/target.ts';
import type { Target } from '../names/target.ts';

/** A request as it goes on: without what was of the connection, with its body framed anew, and with the worker's header where there is one. */
export function requestHeaders(
  message: IncomingMessage,
  { target, credential }: { readonly target: Target; readonly credential: Credential | undefined },
): OutgoingHttpHeaders {
  const usual = credential === undefined ? 80 : 443;
  const host = target.port === usual ? target.host : `${target.host}:${target.port}`;
  const kept = endToEnd(message, name => name === 'content-length' || name === credential?.header);
  // In what is compressed the key could not be found.
  const own = credential === undefined ? {} : { 'accept-encoding': 'identity', [credential.header]: credential.value };
  return { ...kept, ...own, ...framing(message), host, connection: 'close' };
}

/** Node frames nothing by itself where a method has no body usually: what it would write raw is a request of its own to who reads it. */
function framing({ headers }: IncomingMessage): OutgoingHttpHeaders {
  if (headers['transfer-encoding'] !== undefined) return { 'transfer-encoding': 'chunked' };
  const length = headers['content-length'];
  return length === undefined ? {} : { 'content-length': length };
}

/** Of a WebSocket, or a coding beside `chunked`, this proxy knows nothing. */
export function isFramedPlainly({ headers }: IncomingMessage): boolean {
  return /^(?:chunked)?$/i.test(headers['transfer-encoding'] ?? '');
}

/** Undefined where the worker has none of that name for this host: a project can't have a key shown to others. */
export function credentialFor(
  { credential: name }: NetworkRule,
  { credentials, target }: { readonly credentials: ReadonlyMap<string, Credential>; readonly target: Target },
): Credential | undefined {
  const found = name === undefined ? undefined : credentials.get(name);
  const hosts = (found?.hosts ?? []).map(host => ({ host, port: target.port }));
  return 'rule' in judge(hosts, { target, method: 'GET' }) ? found : undefined;
}

interface Answered {
  /** As it was asked for. */
  readonly target: Target;
  readonly credential: Credential | undefined;
  /** Takes the key out of a text. */
  readonly masked: (text: string) => string;
}

/** An answer as it goes back. */
export function answerHeaders(message: IncomingMessage, { target, credential, masked }: Answered): OutgoingHttpHeaders {
  // A session that the worker's key has opened is the worker's too.
  const kept = endToEnd(message, name => credential !== undefined && name === 'set-cookie');
  if (credential === undefined) return kept;
  return Object.fromEntries(
    Object.entries(kept).map(([name, value]) => {
      const values = [value ?? []].flat().map(each => masked(String(each)));
      return [name, name === 'location' ? values.map(to => asAskedFor(to, target)) : values];
    }),
  );
}

/** The same host is asked for in the plain again, since that is where the header is added. */
function asAskedFor(location: string, { host, port }: Target): string {
  const [, at = '', rest = ''] = /^https:\/\/([^/?#]+)(.*)$/is.exec(location) ?? [];
  const to = parseTarget(at, 443);
  const isSame = to?.host === host && to.port === (port === 80 ? 443 : port);
  return isSame ? `http://${host}${port === 80 ? '' : `:${port}`}${rest}` : location;
}
