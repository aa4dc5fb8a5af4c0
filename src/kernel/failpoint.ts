import { readFileSync, writeSync } from 'node:fs';

/**
 * Named places where a test makes this process die or freeze for real. Without SKEP_FAILPOINTS a call is one map look-up.
 * `name:action` pairs, comma-separated: `kill` (SIGKILL to itself), `stop` (SIGSTOP to itself, until a SIGCONT).
 */
type Action = 'kill' | 'stop';

let armed: ReadonlyMap<string, Action> = new Map();

export function armFailpoints(spec: string): void {
  armed = new Map(
    spec
      .split(',')
      .filter(Boolean)
      .map(pair => {
        const [name = '', action] = pair.split(':');
        if (action !== 'kill' && action !== 'stop') throw new Error(`SKEP_FAILPOINTS: "${pair}" is not name:kill or name:stop`);
        return [name, action];
      }),
  );
}

export function failpoint(name: string): void {
  const action = armed.get(name);
  if (action === undefined) return;
  writeSync(2, `failpoint ${name} ${action}\n`);
  process.kill(process.pid, action === 'kill' ? 'SIGKILL' : 'SIGSTOP');
  // A signal to oneself is delivered on the way out of a system call; one more call makes sure that nothing runs before it.
  readFileSync('/proc/self/stat');
}
