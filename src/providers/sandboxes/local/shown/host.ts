import { existsSync, lstatSync, readlinkSync } from 'node:fs';

/** What of the host every sandbox shows, at the path that it has there: read-only, or as a link. */
export interface Shown {
  readonly path: string;
  /** Where a link leads; absent for what is bound. */
  readonly link?: string;
}

/** /usr and what the host has beside it: links into it on most systems, folders of their own on some. */
export function systemFolders(): Shown[] {
  const beside = ['bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32'].flatMap(name => {
    const entry = lstatSync(`/${name}`, { throwIfNoEntry: false });
    if (entry?.isSymbolicLink()) return [{ path: `/${name}`, link: readlinkSync(`/${name}`) }];
    return entry?.isDirectory() ? [{ path: `/${name}` }] : [];
  });
  return [{ path: '/usr' }, ...beside];
}

/** Of the host's /etc only what programs need to start and to check certificates; never the folder itself. */
export const etcOfHost: readonly string[] = [
  '/etc/ld.so.cache',
  '/etc/alternatives',
  '/etc/localtime',
  '/etc/ssl/certs',
  '/etc/ssl/openssl.cnf',
  '/etc/ca-certificates',
  '/etc/pki/tls/certs',
  '/etc/pki/ca-trust',
];

/** Files of /proc that tell of the whole machine or of other users' keys. */
export function maskedFiles(): string[] {
  const files = ['/proc/kcore', '/proc/keys', '/proc/key-users', '/proc/timer_list', '/proc/sched_debug', '/proc/kallsyms'];
  return files.filter(path => existsSync(path));
}
