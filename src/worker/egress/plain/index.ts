import { request as httpRequest } from 'node:http';
import type { ClientRequest, IncomingMessage, RequestOptions, ServerResponse } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { pipeline } from 'node:stream';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Credential } from '../credentials.ts';
import { addressOf, parseTarget } from '../names/target.ts';
import type { Target } from '../names/target.ts';
import { codeOf } from '../reach.ts';
import type { Way } from '../way.ts';
import { answerHeaders, credentialFor, isFramedPlainly, requestHeaders } from './headers.ts';
import { maskOf } from './mask.ts';

/** Answers one request of plain HTTP, which names its host in full as programs do to a proxy. */
export async function servePlain(message: IncomingMessage, answer: ServerResponse, way: Way): Promise<void> {
  message.on('error', () => {});
  answer.on('error', () => answer.destroy());
  const { method = '', url = '' } = message;
  const asked = askedFor(url);
  if (asked === undefined) {
    const refused = { host: hostIn(url), port: null, method, reason: 'malformed' } as const;
    return say(answer, 403, way.refuse(refused));
  }
  const { target, path } = asked;
  const refuse = (reason: Parameters<Way['refuse']>[0]['reason']): void =>
    say(answer, 403, way.refuse({ host: target.host, port: target.port, method, reason }));

  if (!isSaidTwice(message, target)) return refuse('host_header');
  if (/websocket/i.test(message.headers.upgrade ?? '')) return refuse('upgrade');
  if (!isFramedPlainly(message)) return refuse('malformed');
  const judgement = way.judge({ target, method });
  if ('refused' in judgement) return refuse(judgement.refused);
  const { rule } = judgement;
  const credential = credentialFor(rule, { ...way, target });
  if (rule.credential !== undefined && credential === undefined) return refuse('credential');

  // Where a key goes along, what is plain in the sandbox is encrypted outside.
  const at = credential !== undefined && target.port === 80 ? { ...target, port: 443 } : target;
  const reached = await way.reach({ target: at, rule });
  if (reached.kind === 'refused') return refuse(reached.reason);
  if (reached.kind === 'failed') return say(answer, 502, reached.message);
  if (answer.destroyed) return void reached.socket.destroy();
  const headers = requestHeaders(message, { target: at, credential });
  const outgoing = open({ method, path, headers }, { socket: reached.socket, target: at, isTls: credential !== undefined, way });
  exchange({ message, answer, outgoing }, { way, target, credential });
}

/** `http://host[:port][/path]`, and nothing else. */
function askedFor(url: string): { target: Target; path: string } | undefined {
  const [, authority = '', rest = ''] = /^http:\/\/([^/?#]+)([/?][\x21-\x22\x24-\x7e]*)?$/i.exec(url) ?? [];
  const target = parseTarget(authority, 80);
  return target === undefined ? undefined : { target, path: rest.startsWith('/') ? rest : `/${rest}` };
}

/** For who looks at what was refused. */
function hostIn(url: string): string {
  return url.replace(/^[a-z]+:\/\//i, '').split(/[/?#]/)[0] ?? '';
}

/** Of two hosts in one message nobody knows which one counts. */
function isSaidTwice({ headersDistinct }: IncomingMessage, { host, port }: Target): boolean {
  const [said = '', second] = headersDistinct['host'] ?? [];
  const named = parseTarget(said, 80);
  return second === undefined && named?.host === host && named.port === port;
}

interface Place {
  readonly socket: Socket;
  readonly target: Target;
  readonly isTls: boolean;
  readonly way: Way;
}

/** Each request has a connection of its own: on a shared one, one could pretend to be the beginning of the next. */
function open(options: RequestOptions, { socket, target, isTls, way }: Place): ClientRequest {
  const used = isTls ? encrypted(socket, target, way) : socket;
  used.setTimeout(way.idleMs, () => used.destroy());
  for (const each of [socket, used]) each.on('error', () => {});
  return (isTls ? httpsRequest : httpRequest)({ ...options, createConnection: () => used });
}

function encrypted(socket: Socket, target: Target, { authorities }: Way): Socket {
  const name = target.isAddress ? {} : { servername: target.host };
  const trust = authorities === undefined ? {} : { ca: [...authorities] };
  return connectTls({ socket, host: addressOf(target), ...name, ...trust, ALPNProtocols: ['http/1.1'] });
}

interface Exchange {
  readonly message: IncomingMessage;
  readonly answer: ServerResponse;
  readonly outgoing: ClientRequest;
}

interface Between {
  readonly way: Way;
  /** As it was asked for. */
  readonly target: Target;
  readonly credential: Credential | undefined;
}

function exchange({ message, answer, outgoing }: Exchange, { way, target, credential }: Between): void {
  const mask = credential === undefined ? undefined : maskOf(credential.value);
  answer.once('close', () => outgoing.destroy());
  const fail = (why: string): void => {
    message.resume();
    if (answer.headersSent) answer.destroy();
    else say(answer, 502, `${target.host} does not answer (${why})`);
  };
  outgoing.on('error', error => fail(codeOf(error)));
  outgoing.once('upgrade', (_incoming, socket) => {
    socket.destroy();
    fail('it speaks another protocol');
  });
  outgoing.once('response', incoming => {
    const masked = mask?.text ?? ((text: string) => text);
    const { statusCode = 0 } = incoming;
    // Nobody may answer so, and who passed it on would be at fault.
    if (statusCode < 200) {
      outgoing.destroy(new Error(`status ${statusCode}`));
      return;
    }
    answer.writeHead(statusCode, answerHeaders(incoming, { target, credential, masked }));
    answer.flushHeaders();
    const through = [way.meter.counted(), ...(mask === undefined ? [] : [mask.stream()])];
    pipeline([incoming, ...through, answer], error => void (error && answer.destroy()));
  });
  const hasBody = message.headers['transfer-encoding'] !== undefined || message.headers['content-length'] !== undefined;
  if (hasBody) pipeline(message, way.meter.counted(), outgoing, error => void (error && outgoing.destroy()));
  else outgoing.end();
}

function say(answer: ServerResponse, status: number, text: string): void {
  if (answer.destroyed) return;
  // What is still being sent is not read: the connection ends with the answer.
  answer.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', connection: 'close', 'skep-network': 'refused' });
  answer.end(`${text}\n`);
}
