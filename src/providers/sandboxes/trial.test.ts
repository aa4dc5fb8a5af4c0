import { describe, expect, it } from 'vitest';
import type { Sandbox, SandboxExit } from '../../worker/sandbox.ts';
import { refusalOf, tryOut } from './trial.ts';

/** What is said of a machine on which the first program in a sandbox ends so, with these words. */
async function said(exit: Partial<SandboxExit>, words = ''): Promise<ReturnType<typeof refusalOf>> {
  const sandbox = {
    exec: ({ onOutput }: Parameters<Sandbox['exec']>[0]) => {
      onOutput('stderr', Buffer.from(words));
      return Promise.resolve({ durationMs: 1, ...exit });
    },
    kill: () => Promise.resolve(),
  } as unknown as Sandbox;
  return refusalOf(
    await tryOut(() => Promise.resolve(sandbox), 'mend the programs').then(
      () => undefined,
      (error: unknown) => error,
    ),
  );
}

describe('a sandbox in which the first program fails', () => {
  it('is mended by its programs where that one says what is wrong', async () => {
    const { why, hint } = await said({ reason: 'exited', code: 2 }, "ls: cannot access '/work'\n");
    expect([why, hint]).toEqual([expect.stringMatching(/failed: ls: cannot access '\/work'$/), 'mend the programs']);
  });

  it.each(['timeout', 'out_of_memory'] as const)('is not where it was ended by %s, and then that is said', async reason => {
    const { why, hint } = await said({ reason }, 'ls: so far\n');
    expect([why, hint]).toEqual([expect.stringMatching(`"${reason}".* ls: so far$`), expect.stringMatching(/docs\/sandbox\.md/)]);
  });
});
