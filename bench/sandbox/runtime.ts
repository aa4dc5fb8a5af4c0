import { SandboxManager } from '@anthropic-ai/sandbox-runtime';
import { startProcess } from '../../src/cli/bench/sandbox/ways/process.ts';
import type { Program } from '../../src/cli/bench/sandbox/ways/tiny.ts';
import type { Lacking, Way } from '../../src/cli/bench/sandbox/ways/way.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { findProgram, SYSTEM_PATH } from '../../src/providers/sandboxes/local/host/tools.ts';
import type { Stage } from '../harness/bench.ts';

const name = '@anthropic-ai/sandbox-runtime';

/** By its library, as a program would that starts many: its proxies run already, and no Node is started for each. */
export async function runtimeWay(stage: Stage, program: Program): Promise<Way | Lacking> {
  const lacking = ['bwrap', 'socat', 'rg'].filter(each => findProgram(SYSTEM_PATH, each) === undefined);
  if (lacking.length > 0) return { name, why: `apt-get install bubblewrap socat ripgrep: ${lacking.join(' and ')} lacking` };
  await SandboxManager.initialize({
    network: { allowedDomains: ['example.com'], deniedDomains: [] },
    filesystem: { denyRead: [], allowWrite: ['/tmp'], denyWrite: [] },
  });
  stage.atEnd(() => SandboxManager.reset());
  return {
    name,
    isOurs: false,
    async start() {
      const line = await SandboxManager.wrapWithSandbox(program.argv.join(' '));
      return startProcess(['/bin/sh', '-c', line], { clock: systemClock, signal: new AbortController().signal });
    },
  };
}
