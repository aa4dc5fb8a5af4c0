import { Fault } from '../../../kernel/fault.ts';
import { findProgram } from '../local/host/tools.ts';
import type { Tools } from '../local/host/tools.ts';

const packages: Partial<Record<keyof Tools, string>> = {
  ...{
    setpriv: 'util-linux',
    unshare: 'util-linux',
    mount: 'mount',
    sh: 'dash',
    mkfifo: 'coreutils',
    rm: 'coreutils',
    chmod: 'coreutils',
  },
};

/** Those of the system's programs that a provider calls. Throws Fault `sandbox_unavailable`, which names the package of one that is missing. */
export function findTools(path: string, names: readonly (keyof Tools)[]): Tools {
  const found = names.map(name => {
    const file = findProgram(path, name);
    if (file !== undefined) return [name, file];
    throw new Fault('sandbox_unavailable', {
      message: `${name} is not on ${path}`,
      hint: `apt-get install ${packages[name] ?? name}`,
    });
  });
  return Object.fromEntries(found) as Tools;
}
