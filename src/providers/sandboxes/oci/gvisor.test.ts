import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { gvisorFlags } from './gvisor.ts';

const top = mkdtempSync(join(tmpdir(), 'skep-gvisor-'));
afterAll(() => rmSync(top, { recursive: true }));

let count = 0;
/** One that answers `flags` as a release does, and anything else not at all. */
function runsc(flags: readonly string[]): string {
  const file = join(top, `runsc-${++count}`);
  const lines = flags.map(flag => `  -${flag}\n    \twhat it does`).join('\n');
  writeFileSync(file, `#!/bin/sh\n[ "$1" = flags ] || exit 1\ncat >&${count % 2 === 0 ? 1 : 2} <<'END'\n${lines}\nEND\n`);
  chmodSync(file, 0o755);
  return file;
}

it.each([
  ['before 2022-12', ['fsgofer-host-uds', 'platform string'], 'fsgofer-host-uds'],
  ['of the time of both', ['fsgofer-host-uds', 'host-uds value'], 'host-uds=open'],
  ['of today', ['host-uds value', 'host-fifo value'], 'host-uds=open'],
])('a gVisor %s is told by the flag that it knows to pass on the sockets of a sandbox', async (_, flags, told) => {
  expect((await gvisorFlags(runsc(flags))).at(-1)).toBe(told);
});

it('one that knows neither, or answers nothing, is refused with what to do', async () => {
  const hint = expect.stringContaining('take a newer runsc') as string;
  await expect(gvisorFlags(runsc(['host-fifo value']))).rejects.toMatchObject({ code: 'sandbox_unavailable', hint });
  await expect(gvisorFlags('/bin/false')).rejects.toMatchObject({ code: 'sandbox_unavailable', hint });
});
