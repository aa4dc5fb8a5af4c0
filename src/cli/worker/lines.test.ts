import { describe, expect, it } from 'vitest';
import { asJson, asLine, endText } from './lines.ts';

describe('the sandboxes of a worker', () => {
  it.each([
    ['none', 2],
    ['namespaces', 1],
  ])('of isolation %s are told in %d lines, the second a warning', (isolation, count) => {
    const sandbox = { engine: 'an engine', isolation, network: 'none' };
    const lines = asLine({ kind: 'started', sandbox, lacks: [] }).split('\n');
    expect(lines).toHaveLength(count);
    expect(lines.slice(1).every(line => line.startsWith('warning    nothing is isolated'))).toBe(true);
  });
});

describe('what the sandboxes of a worker lack', () => {
  it('is told with its reason and what to do about it, beside the parts that they are made of', () => {
    const lacks = [{ about: ['memory', 'cpu'], why: 'no cgroups\u001b[2J are mounted', mend: 'mount them' }];
    const sandbox = { engine: 'an engine', isolation: 'namespaces', cpu: 'none', launcher: 'plain: it is not compiled' };
    expect(asLine({ kind: 'started', sandbox, lacks }).split('\n')).toEqual([
      'sandbox    an engine; not limited: cpu; launcher plain: it is not compiled',
      'lacking    memory, cpu: no cgroups [2J are mounted; mend: mount them',
    ]);
    expect(JSON.parse(asJson({ kind: 'started', sandbox, lacks }))).toEqual({ event: 'started', sandbox, lacks });
  });
});

describe('the end of a run', () => {
  it('says what a parked one waits for', () => {
    const halt = { kind: 'budget', message: 'The budget is spent' } as const;
    expect(endText({ kind: 'parked', result: { summary: '' }, halt })).toBe('The budget is spent');
  });

  it('is shown without what could steer the terminal', () => {
    const result = { summary: 'done\u001b]52;c;eA\u0007\nclaimed', branch: 'x\u001b[31m', head: 'a'.repeat(40) };
    expect(endText({ kind: 'submitted', result })).toBe('done ]52;c;eA claimed on x [31m at aaaaaaaaaaaa');
  });
});
