import type { IncomingMessage } from 'node:http';
import { pipeline } from 'node:stream';
import type { Duplex } from 'node:stream';
import type { Socket } from 'node:net';
import type { Clock } from '../../kernel/clock.ts';
import { readHello } from './names/hello.ts';
import { parseTarget } from './names/target.ts';
import type { Target } from './names/target.ts';
import type { RefusalReason } from '../../../contract/network/refusals.ts';
import type { Way } from './way.ts';

interface Opened {
  readonly message: IncomingMessage;
  readonly client: Duplex;
  /** What came with the request already. */
  readonly head: Buffer;
}

/** Serves CONNECT: what is spoken then is encrypted, but for the name of whom it is spoken with, which must be that of the rule. */
export async function serveTunnel({ message, client, head }: Opened, way: Way, clock: Clock): Promise<void> {
  client.on('error', () => client.destroy());
  const { url = '' } = message;
  const target = parseTarget(url);
  const refused = (reason: RefusalReason): string =>
    way.refuse({ host: target?.host ?? url, port: target?.port ?? null, method: 'CONNECT', reason });
  const refuse = (reason: RefusalReason): void => say(client, '403 Forbidden', refused(reason));

  if (target === undefined) return refuse('malformed');
  if (!isSaidAgain(message, target)) return refuse('host_header');
  const judgement = way.judge({ target, method: 'CONNECT' });
  if ('refused' in judgement) return refuse(judgement.refused);
  const reached = await way.reach({ target, rule: judgement.rule });
  if (reached.kind === 'refused') return refuse(reached.reason);
  if (reached.kind === 'failed') return say(client, '502 Bad Gateway', reached.message);

  const { socket } = reached;
  socket.on('error', () => socket.destroy());
  // What has ended well has said all, which may still be on its way to the other side.
  socket.once('close', () => void (socket.readableEnded || client.destroy()));
  client.once('close', () => void (client.readableEnded || socket.destroy()));
  if (client.destroyed) return void socket.destroy();
  client.write('HTTP/1.1 200 Connection established\r\n\r\n');
  const heard = await hear(client, { head, target, helloMs: way.helloMs, clock });
  if (heard.kind === 'wrong') {
    refused(heard.reason);
    client.end(alert);
    return void socket.destroy();
  }
  if (heard.kind === 'gone') return void socket.destroy();
  join({ client, socket, first: heard.bytes }, way);
}

/** TLS's own word for it, which clients tell people: access_denied. */
const alert = Buffer.from([0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x31]);

/** Programs may leave the header or its port out. */
function isSaidAgain({ headersDistinct }: IncomingMessage, { host, port }: Target): boolean {
  const [said, second] = headersDistinct['host'] ?? [];
  if (said === undefined) return true;
  const named = parseTarget(said, port);
  return second === undefined && named?.host === host && named.port === port;
}

type Heard =
  | { readonly kind: 'right'; readonly bytes: Buffer }
  | { readonly kind: 'wrong'; readonly reason: RefusalReason }
  | { readonly kind: 'gone' };

interface Hearing {
  readonly head: Buffer;
  readonly target: Target;
  readonly helloMs: number;
  readonly clock: Clock;
}

/** Waits for the ClientHello, which nobody has been sent yet. */
async function hear(client: Duplex, { head, target, helloMs, clock }: Hearing): Promise<Heard> {
  const over = new AbortController();
  try {
    return await Promise.race([
      read(client, { head, target }),
      clock.sleep(helloMs, over.signal).then((): Heard => ({ kind: 'wrong', reason: 'not_tls' })),
    ]);
  } finally {
    over.abort();
  }
}

function read(client: Duplex, { head, target }: Pick<Hearing, 'head' | 'target'>): Promise<Heard> {
  return new Promise(resolve => {
    let bytes = head;
    const end = (heard: Heard): void => {
      client.off('data', onData).off('end', onEnd).off('close', onEnd);
      client.pause();
      resolve(heard);
    };
    const look = (): void => {
      const hello = readHello(bytes);
      if (hello.kind === 'other') end({ kind: 'wrong', reason: 'not_tls' });
      else if (hello.kind === 'hello')
        end(isNameOf(hello.serverName, target) ? { kind: 'right', bytes } : { kind: 'wrong', reason: 'server_name' });
    };
    const onData = (chunk: Buffer): void => {
      bytes = Buffer.concat([bytes, chunk]);
      look();
    };
    const onEnd = (): void => end({ kind: 'gone' });
    client.on('data', onData).once('end', onEnd).once('close', onEnd);
    if (bytes.length > 0) look();
  });
}

/** An address has no name, and says none (RFC 6066). */
function isNameOf(said: string | undefined, { host, isAddress }: Target): boolean {
  if (said === undefined) return isAddress;
  return !isAddress && !said.endsWith('.') && parseTarget(said, 443)?.host === host;
}

interface Joined {
  readonly client: Duplex;
  readonly socket: Socket;
  readonly first: Buffer;
}

/** Those of two directions, of HTTP, of the link and of this file. */
const listenersMax = 20;

function join({ client, socket, first }: Joined, way: Way): void {
  client.setMaxListeners(listenersMax);
  const end = (error: unknown): void => {
    if (error === null || error === undefined) return;
    client.destroy();
    socket.destroy();
  };
  socket.setTimeout(way.idleMs, () => socket.destroy());
  const out = way.meter.counted();
  out.write(first);
  pipeline(client, out, socket, end);
  pipeline(socket, way.meter.counted(), client, end);
}

function say(client: Duplex, status: string, text: string): void {
  if (client.destroyed) return;
  const body = `${text}\n`;
  client.end(
    [
      `HTTP/1.1 ${status}`,
      'content-type: text/plain; charset=utf-8',
      `content-length: ${Buffer.byteLength(body)}`,
      'skep-network: refused',
      'connection: close',
      '',
      body,
    ].join('\r\n'),
  );
}
