import { existsSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { usage } from '../command.ts';

/**
 * A repository as the server wants it: a URL as it is, a path made absolute. A path is checked when the server, and so the
 * worker beside it, is on this machine. Throws Fault `invalid_request`.
 */
export function repositoryArgument(given: string, { cwd, server }: { readonly cwd: string; readonly server: string }): string {
  if (given.trim() === '') throw usage('The repository is empty', "Give a path or a URL, such as '--repository .'");
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(given)) return given;
  const scp = /^([\w.-]+@[\w.-]+):(?!\/\/)(.+)$/.exec(given);
  if (scp !== null) throw usage(`'${given}' is not a URL`, `Write it as ssh://${scp[1]}/${scp[2]}`);
  const path = resolve(cwd, given);
  if (isLocal(server)) checkIsRepository(path);
  return path;
}

function checkIsRepository(path: string): void {
  if (!existsSync(path)) throw usage(`${path} does not exist`);
  if (!statSync(path).isDirectory()) throw usage(`${path} is not a folder`, 'Give the folder of a git repository');
  if (isRepository(path)) return;
  const top = repositoryAbove(path);
  throw usage(
    `${path} is not a git repository`,
    top === undefined ? `Make one: git -C ${path} init, then add and commit` : `It lies within one: give ${top}`,
  );
}

/** By its files: asking git would let the folder's own configuration have a say. */
function isRepository(path: string): boolean {
  return existsSync(join(path, '.git')) || ['HEAD', 'objects', 'refs'].every(part => existsSync(join(path, part)));
}

function repositoryAbove(path: string): string | undefined {
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    if (isRepository(folder)) return folder;
    if (folder === dirname(folder)) return undefined;
  }
}

function isLocal(server: string): boolean {
  return ['127.0.0.1', 'localhost', '[::1]'].includes(new URL(server).hostname);
}
