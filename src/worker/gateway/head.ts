import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';

/** Of a connection and not of a message (RFC 9110, 7.6.1), and what the relay's own connection says for itself. */
const ofConnection: ReadonlySet<string> = new Set([
  ...['connection', 'keep-alive', 'proxy-connection', 'proxy-authenticate', 'proxy-authorization'],
  ...['te', 'trailer', 'transfer-encoding', 'upgrade', 'expect', 'host'],
]);

/** By these a server may believe that somebody else asks, or asks for something else. */
const ofProxies = /^(?:x-forwarded(?:-|$)|forwarded$|x-real-ip$|x-original-|x-rewrite-|x-http-method|cookie$|skep-)/;

/** What an agent says in its head, without what is not its to say. */
export function requestHeaders(message: IncomingMessage, { hasBody }: { readonly hasBody: boolean }): OutgoingHttpHeaders {
  return endToEnd(message, name => ofProxies.test(name) || (name === 'content-length' && !hasBody));
}

export function answerHeaders(message: IncomingMessage): OutgoingHttpHeaders {
  return endToEnd(message, name => name === 'set-cookie');
}

/** A message's head without what is of the connection, and without what `drops` names. */
export function endToEnd(message: IncomingMessage, drops: (name: string) => boolean): OutgoingHttpHeaders {
  const named = new Set((message.headers.connection ?? '').split(',').map(name => name.trim().toLowerCase()));
  return Object.fromEntries(
    Object.entries(message.headersDistinct).filter(([name]) => !ofConnection.has(name) && !named.has(name) && !drops(name)),
  );
}

/** Whether a request's target is the gateway, by every way of reading it: also by that of a server that resolves dots. */
export function isOfGateway(target: string): boolean {
  if (!/^\/gateway(?:[/?]|$)/.test(target) || /[\u0000-\u0020\\#]/.test(target)) return false;
  const [path = ''] = target.split('?');
  try {
    const decoded = decodeURIComponent(decodeURIComponent(path));
    return !decoded.split(/[/\\]/).some(segment => /^\.\.?(?:;|$)/.test(segment));
  } catch {
    return false;
  }
}
