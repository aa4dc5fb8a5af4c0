import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecAgent } from '../../contract/projects.ts';
import { temporaryFolder } from '../harness/worker.ts';

const PLAIN = {
  PATH: '/usr/local/bin:/usr/bin:/bin',
  LANG: 'C.UTF-8',
  PYTHONDONTWRITEBYTECODE: '1',
  npm_config_update_notifier: 'false',
};

export interface Ended {
  readonly status: number | null;
  readonly output: string;
}

/** Runs a check in the folder without a sandbox, with nothing of this process's environment and an empty home. */
export function check(folder: string, [program, ...args]: readonly [string, ...string[]]): Ended {
  return run(folder, [program, ...args], {});
}

interface Scene {
  readonly folder: string;
  readonly description?: string;
  readonly feedback?: string;
  readonly conflict?: boolean;
}

/** Runs an agent as a worker would, but in the folder itself. */
export function act({ command }: ExecAgent, { folder, description = '', feedback, conflict = false }: Scene): Ended {
  const beside = temporaryFolder();
  const put = (name: string, text: string) => {
    writeFileSync(join(beside, name), text);
    return join(beside, name);
  };
  return run(folder, command, {
    SKEP_TICKET: put('ticket.json', JSON.stringify({ id: 'TKT-001', description })),
    SKEP_TICKET_ID: 'TKT-001',
    SKEP_ATTEMPT: feedback === undefined ? '1' : '2',
    ...(feedback === undefined ? {} : { SKEP_FEEDBACK: put('feedback.txt', feedback) }),
    ...(conflict ? { SKEP_CONFLICT: '1' } : {}),
  });
}

function run(folder: string, [program = '', ...args]: readonly string[], env: Readonly<Record<string, string>>): Ended {
  const given = { ...PLAIN, HOME: temporaryFolder(), ...env };
  const { status, stdout, stderr } = spawnSync(program, args, { cwd: folder, env: given, encoding: 'utf8' });
  return { status, output: stdout + stderr };
}
