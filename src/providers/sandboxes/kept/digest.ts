import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { findProgram, SYSTEM_PATH } from '../local/host/tools.ts';

/** Nothing but names and bytes decides: not who has a file, nor when it was written. Holes are not read. */
const always = ['--create', '--file=-', '--sparse', '--format=gnu', '--mtime=@0', '--owner=0', '--group=0', '--mode=0600'];
const wordsMax = 500;

/** Of what a file below a folder holds, the same as long as nothing in it changes. Throws where it can't be read whole. */
export async function digestOf(folder: string, file: string): Promise<string> {
  const tar = findProgram(SYSTEM_PATH, 'tar');
  if (tar === undefined) throw new Error(`tar is not on ${SYSTEM_PATH}`);
  const args = [...always, '--numeric-owner', `--directory=${folder}`, '--', file];
  const before = await changeOf(join(folder, file));
  const child = spawn(tar, args, { cwd: '/', env: { PATH: SYSTEM_PATH, LC_ALL: 'C' }, stdio: ['ignore', 'pipe', 'pipe'] });
  let words = '';
  child.stderr.on('data', (chunk: Buffer) => void (words = `${words}${chunk.toString()}`.slice(0, wordsMax)));
  const ended = new Promise<number | null>((resolve, reject) => child.once('error', reject).once('close', resolve));
  const hash = createHash('sha256');
  const [code] = await Promise.all([ended, pipeline(child.stdout, hash)]);
  // 1: something about it has changed meanwhile. A name more is no change of it: each sandbox that begins as it has one.
  if (code === 0 || (code === 1 && (await changeOf(join(folder, file))) === before)) return hash.digest('hex');
  throw new Error(words.trim() || `tar ended with ${code ?? 'a signal'}`);
}

async function changeOf(path: string): Promise<string> {
  const { size, mtimeNs } = await stat(path, { bigint: true });
  return `${size} ${mtimeNs}`;
}
