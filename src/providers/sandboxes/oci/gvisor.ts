import { execFile } from 'node:child_process';
import { Fault } from '../../../kernel/fault.ts';
import { SYSTEM_PATH } from '../local/host/tools.ts';

/**
 * What gVisor is told beside what an engine tells it: that there is no network, and to pass on the unix sockets that a sandbox is shown.
 * Flags have been renamed and removed from one release to the next, so it is asked which it knows. Throws Fault `sandbox_unavailable`.
 */
export async function gvisorFlags(program: string): Promise<readonly string[]> {
  const known = await flagsOf(program);
  const knows = (name: string) => new RegExp(`^ *-{1,2}${name}\\b(?!-)`, 'm').test(known);
  const sockets = [
    { name: 'host-uds', flag: 'host-uds=open' },
    { name: 'fsgofer-host-uds', flag: 'fsgofer-host-uds' },
  ].find(({ name }) => knows(name));
  if (sockets === undefined)
    throw new Fault('sandbox_unavailable', {
      message: `${program} knows no flag by which a sandbox reaches a unix socket, and so the gateway (host-uds)`,
      hint: takeNewer,
    });
  return ['network=none', 'platform=ptrace', sockets.flag];
}

/** Where this one can't be worked with. */
export const takeNewer = 'take a newer runsc from gVisor itself and put it before the other one, in /usr/local/bin';

const answerMsMax = 30_000;

function flagsOf(program: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { env: { PATH: SYSTEM_PATH, LC_ALL: 'C' }, cwd: '/', timeout: answerMsMax } as const;
    // It says them where one would say what is wrong.
    execFile(program, ['flags'], options, (error, stdout, stderr) => {
      if (error === null) return resolve(`${stdout}\n${stderr}`);
      const message = `${program} does not say which flags it knows: ${error.message}`.slice(0, 500);
      reject(new Fault('sandbox_unavailable', { message, hint: takeNewer, cause: error }));
    });
  });
}
