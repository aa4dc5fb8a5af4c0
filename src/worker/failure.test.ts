import { expect, it } from 'vitest';
import { failureOf, runFailure } from './failure.ts';

it('what is said of a failure can be stored, whatever somebody outside has put into it', () => {
  expect(failureOf(runFailure('agent_failed', 'x\0y \ud800 z'))).toEqual({ class: 'agent_failed', message: 'xy \ufffd z' });
  const { message } = failureOf(runFailure('agent_failed', `${'x'.repeat(3_999)}\u{1f41d}`));
  expect(message).toBe(`${'x'.repeat(3_999)}\ufffd`);
});
