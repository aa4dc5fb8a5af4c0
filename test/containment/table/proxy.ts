import {
  doubleFramings,
  framedTwice,
  hostSaidIn,
  notEncrypted,
  plainRefusals,
  tunnelRefusals,
  wrongServerNames,
} from '../../samples/proxied.ts';
import { rows } from './row.ts';
import type { Row } from './row.ts';

/** What test/fixtures/hostile/proxy.py asks of the proxy of its sandbox; `PORT` and `SECURE` stand for the ports of the host that is allowed. */
export interface Asking {
  readonly attempt: string;
  readonly answers: readonly string[];
  /** Each on a connection of its own. */
  readonly requests: readonly string[];
  /** The name in the handshake that follows; null: none. */
  readonly serverName?: string | null;
  /** The first answers say nothing. */
  readonly isLastAlone?: true;
}

const end = 'Connection: close\r\n\r\n';
const shut = ['closed', '400'];

const get = (target: string, said = hostSaidIn(target), method = 'GET'): string =>
  `${method} ${target} HTTP/1.1\r\nHost: ${said}\r\n${end}`;
const tunnel = (authority: string, said = authority): string =>
  `CONNECT ${authority} HTTP/1.1\r\nHost: ${said}\r\n\r\n`.replaceAll('PORT', 'SECURE');
/** As it is written, whatever is in it. */
const shown = (text: string): string => JSON.stringify(text).slice(1, -1).replaceAll('\\\\', '\\').replaceAll('PORT', 'P');
const saying = (said: string): string => (said === '' ? ' with an empty Host' : ` with Host \`${shown(said)}\``);

const plain: readonly Asking[] = plainRefusals.map(([target, reason, said]) => ({
  attempt: `\`GET ${shown(target)}\`${said === undefined ? '' : saying(said)}`,
  answers: reason === 'none' ? shut : [reason],
  requests: [get(target, said)],
}));

const tunnels: readonly Asking[] = [
  ...tunnelRefusals.map(([authority, said, reason]) => ({
    attempt: `\`CONNECT ${shown(authority)}\`${said === authority ? '' : saying(said)}`,
    ...{ answers: [reason], requests: [tunnel(authority, said)] },
  })),
  ...wrongServerNames.map(([authority, name = null]) => ({
    attempt: `\`CONNECT ${shown(authority)}\`, then a handshake with ${name === null ? 'nobody' : `\`${name}\``}`,
    ...{ answers: ['access denied'], requests: [tunnel(authority)], serverName: name },
  })),
  ...notEncrypted.map(([what, bytes]) => ({
    attempt: `\`CONNECT allowed.test:P\`, then ${what}`,
    ...{ answers: ['access denied'], requests: [tunnel('allowed.test:PORT') + bytes] },
  })),
];

/** The host says whether it has ever heard the inner one. */
const framed: readonly Asking[] = doubleFramings.map(([how, headers]) => ({
  attempt: `a request in a body that is framed by ${how}`,
  answers: ['nothing else'],
  requests: [framedTwice(headers, 'PORT'), get('http://allowed.test:PORT/heard')],
  isLastAlone: true,
}));

const others: readonly Asking[] = [
  {
    attempt: 'a method that the rule does not name',
    answers: ['method'],
    requests: [get('http://narrow.test:PORT/', 'narrow.test:PORT', 'POST')],
  },
  {
    attempt: '`TRACE`, which says what was added',
    answers: ['method'],
    requests: [get('http://allowed.test:PORT/', 'allowed.test:PORT', 'TRACE')],
  },
  {
    attempt: 'a WebSocket in the plain',
    answers: ['upgrade'],
    requests: [get('http://allowed.test:PORT/').replace(end, 'Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n')],
  },
  { attempt: 'HTTP/2 without TLS', answers: shut, requests: ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0'] },
  {
    attempt: 'a redirect of an allowed host to another, followed',
    answers: ['moved, then host'],
    requests: [get('http://allowed.test:PORT/moved')],
  },
  {
    attempt: 'a name that leads to the metadata of a cloud when it is asked for again',
    answers: ['ok, then address'],
    requests: [get('http://turning.test:PORT/'), get('http://turning.test:PORT/')],
  },
  { attempt: 'the server of Skep, by a rule that names it', answers: ['guarded'], requests: [get('http://127.0.0.1:SERVER/')] },
  {
    attempt: 'the database of Skep, by a rule that names it',
    answers: ['guarded'],
    requests: [get('http://127.0.0.1:DATABASE/')],
  },
  {
    attempt: 'the key that is added for a host, said again by that host',
    answers: ['asterisks'],
    requests: [get('http://keyed.test:SECURE/')],
  },
  { attempt: 'the key that is added, for another host', answers: ['credential'], requests: [get('http://other.test:SECURE/')] },
  // A proxy that answers nobody would pass all the rest.
  { attempt: 'a host that is allowed', answers: ['ok'], requests: [get('http://allowed.test:PORT/')] },
  {
    attempt: 'a host that is allowed, in capitals and with a dot at its end',
    answers: ['ok'],
    requests: [get('HTTP://ALLOWED.test.:PORT/')],
  },
  {
    attempt: 'a host that is allowed, encrypted',
    answers: ['reached'],
    requests: [tunnel('allowed.test:PORT')],
    serverName: 'allowed.test',
  },
];

export const askings: readonly Asking[] = [...plain, ...tunnels, ...framed, ...others];

const proxy = rows('proxy', 'S26');

/** Code of the worker sees to it, in every kind of sandbox. */
export const proxyRows: readonly Row[] = askings.flatMap(({ attempt, answers }) =>
  proxy(answers, [attempt], { guard: 'platform' }),
);
