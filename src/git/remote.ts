import { fileURLToPath } from 'node:url';

/** Where a repository is, in a form that may stand on a command line. */
export interface Remote {
  /** An absolute path, also where a file:// URL was given, or a URL without a password: fit to be shown. */
  readonly url: string;
  /** Git settings that carry the password of an http(s) URL. */
  readonly secretConfig: Readonly<Record<string, string>>;
}

/** Undefined for what git could take for an option or for a transport that runs a command. */
export function parseRemote(repository: string): Remote | undefined {
  if (/[\u0000-\u001f\u007f]/.test(repository)) return undefined;
  if (repository.startsWith('/')) return { url: repository, secretConfig: {} };
  // Git and this parser would not agree about where the host begins.
  if (/[\s\\]|^[a-z]+:\/\/\//.test(repository) && !repository.startsWith('file:')) return undefined;
  const [, scheme, authority] = /^(https?|ssh|git|file):\/\/([^/]*)/.exec(repository) ?? [];
  if (scheme === undefined || authority === undefined || authority.startsWith('-')) return undefined;
  const url = URL.canParse(repository) ? new URL(repository) : undefined;
  if (url === undefined || url.hostname.startsWith('-')) return undefined;
  if (scheme === 'file') return ofThisMachine(url);
  // ssh takes no password from anyone.
  if (scheme === 'ssh') url.password = '';
  return scheme.startsWith('http') && (url.username !== '' || url.password !== '')
    ? withoutPassword(url)
    : { url: scheme === 'ssh' ? url.href : repository, secretConfig: {} };
}

/** Undefined for another machine's: git would take its name for the first folder of the path. */
function ofThisMachine(url: URL): Remote | undefined {
  try {
    const path = fileURLToPath(url);
    return /[\u0000-\u001f\u007f]/.test(path) ? undefined : { url: path, secretConfig: {} };
  } catch {
    return undefined;
  }
}

// As a header in git's settings, which pass through the environment: the process list shows command lines to everyone. It is sent
// with every request of this address, so a redirect must not be followed.
function withoutPassword(url: URL): Remote {
  const login = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  const bare = new URL(url);
  bare.username = '';
  bare.password = '';
  return {
    url: bare.href,
    secretConfig: {
      [`http.${bare.origin}/.extraHeader`]: `Authorization: Basic ${Buffer.from(login).toString('base64')}`,
      [`http.${bare.origin}/.followRedirects`]: 'false',
    },
  };
}
