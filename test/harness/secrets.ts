import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** Names of those that stand in a text. */
export function secretsIn(text: string, secrets: Readonly<Record<string, string>>): string[] {
  return Object.keys(secrets).filter(name => text.includes(secrets[name] ?? ''));
}

/** Processes of this machine in whose environment it stands. */
export function whoseEnvironmentHas(secret: string): number[] {
  const pids = readdirSync('/proc').filter(name => /^\d+$/.test(name));
  return pids.filter(pid => readOrNothing(`/proc/${pid}/environ`).includes(secret)).map(Number);
}

function readOrNothing(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** Files that hold it; it is given past the command line. */
export function filesWith(secret: string, folders: readonly string[]): string[] {
  const { stdout } = spawnSync('grep', ['-rlaF', '-f', '-', ...folders], { input: `${secret}\n`, encoding: 'utf8' });
  return stdout.split('\n').filter(Boolean);
}
