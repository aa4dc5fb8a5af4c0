import { Fault } from '../../kernel/fault.ts';

/** A database URL taken apart. `password` is empty when the URL has none. */
export interface DatabaseUrl {
  readonly user: string;
  readonly password: string;
  readonly database: string;
  /** Host name, address, or the folder of a unix socket. */
  readonly host: string;
  readonly port: number;
}

/** Reads `postgres://user:password@host:port/database?options`. Throws Fault `invalid_config`, which never repeats the URL. */
export function parseDatabaseUrl(text: string): DatabaseUrl {
  const url = toUrl(text);
  const option = (name: string) => url.searchParams.get(name) || undefined;
  const parts = {
    user: option('user') ?? decoded(url.username, 'user'),
    password: option('password') ?? decoded(url.password, 'password'),
    database: decoded(url.pathname.slice(1), 'database'),
    host: option('host') ?? decoded(url.hostname, 'host').replace(/^\[(.*)\]$/, '$1'),
    port: Number(option('port') ?? (url.port || '5432')),
  };
  if (parts.host === '') throw invalid('it names no host');
  if (parts.user === '') throw invalid('it names no user');
  if (parts.database === '') throw invalid('it names no database');
  // The driver leaves these encoded and would ask for another database.
  if (/[;/?:@&=+$,#]/.test(parts.database))
    throw invalid('the name of its database has one of the characters ; / ? : @ & = + $ , #');
  if (!Number.isInteger(parts.port) || parts.port < 1 || parts.port > 65_535)
    throw invalid('its port is not a number from 1 to 65535');
  return parts;
}

/** The same database for another role, with all options kept. Names us in the server's list of connections unless the URL does. */
export function withLogin(text: string, user: string, password: string): string {
  const url = toUrl(text);
  if (!url.searchParams.has('application_name')) url.searchParams.set('application_name', 'skep');
  if (url.hostname === '') {
    // A unix socket named by ?host=: a URL without a host cannot carry a login in front.
    url.searchParams.set('user', user);
    url.searchParams.set('password', password);
    return spaced(url);
  }
  url.searchParams.delete('user');
  url.searchParams.delete('password');
  url.username = encodeURIComponent(user);
  url.password = encodeURIComponent(password);
  return spaced(url);
}

/** URLSearchParams writes a space as +, which is right for forms; %20 is right everywhere. */
function spaced(url: URL): string {
  return url.href.replace(/\?.*$/, query => query.replaceAll('+', '%20'));
}

function toUrl(text: string): URL {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    // The error of URL repeats its input, password included: it is not passed on.
    throw invalid(whyUnparsable(text));
  }
  if (!['postgres:', 'postgresql:'].includes(url.protocol)) throw invalid('it does not begin with postgres:// or postgresql://');
  return url;
}

function whyUnparsable(text: string): string {
  if (text.trim() === '') return 'it is empty';
  if (!/^postgres(ql)?:\/\//.test(text)) return 'it does not begin with postgres:// or postgresql://';
  if (/@[^@/]*:[^/@?]*\D[^/@?]*([/?]|$)/.test(text)) return 'its port is not a number from 1 to 65535';
  return 'it is not a URL (characters like / ? # in the password must be percent-encoded)';
}

function decoded(text: string, part: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalid(`its ${part} is not percent-encoded correctly`);
  }
}

function invalid(why: string): Fault {
  return new Fault('invalid_config', {
    message: `DATABASE_URL is not valid: ${why}`,
    hint: 'Write it as postgres://user:password@host:5432/database, with percent-encoding for special characters.',
  });
}
