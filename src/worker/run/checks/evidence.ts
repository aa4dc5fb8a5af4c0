import { outputTailMax } from '../../../../contract/reviews.ts';
import type { CheckEvidence } from '../../../../contract/reviews.ts';
import type { Check } from '../../../../contract/projects.ts';
import { runFailure } from '../../failure.ts';
import type { SandboxExit } from '../../sandbox.ts';
import { plainText } from './plain-text.ts';
import { countTests } from './tests.ts';

/** What a check printed at last. `isCut`: there was more before. */
export interface LastOutput {
  readonly bytes: Buffer;
  readonly isCut: boolean;
}

/** How a check ended. Throws a run failure `sandbox` where it was not let end. */
export function evidenceOf(check: Check, exit: SandboxExit, output: LastOutput): CheckEvidence {
  if (exit.reason === 'aborted') throw runFailure('sandbox', `The check '${check.name}' was ended from outside`);
  const text = plainText(output.bytes.toString('utf8'));
  return {
    ...check,
    outcome: exit.reason,
    exit_code: exit.reason === 'exited' ? exit.code : null,
    duration_ms: Math.round(exit.durationMs),
    flaky: false,
    tests: countTests(text, { cut: output.isCut }),
    output_tail: text.slice(-outputTailMax).replace(/^[\udc00-\udfff]/, ''),
  };
}

export function isGreen({ outcome, exit_code }: CheckEvidence): boolean {
  return outcome === 'exited' && exit_code === 0;
}
