import { tmpdir } from 'node:os';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../kernel/clock.ts';
import { silentLog } from '../../kernel/log.ts';
import { chooseSandboxes, sandboxNames } from './choose.ts';

const means = { home: tmpdir(), clock: systemClock, log: silentLog };

describe('the sandboxes of a worker', () => {
  it('are those that the setting names', () => {
    const kinds = sandboxNames.map(name => chooseSandboxes(name, means).kind);
    expect(kinds).toEqual(['local', 'oci', 'oci', 'oci', 'process']);
  });

  it.each(['', 'Local', 'oci:', 'oci:runc', 'toString', 'x'.repeat(300)])('are not %j', name => {
    expect(() => chooseSandboxes(name, means)).toThrow(
      expect.objectContaining({ code: 'invalid_config', hint: 'give one of local, oci, oci:runsc, oci:docker, process' }),
    );
  });
});
