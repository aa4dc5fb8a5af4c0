import { describe, expect, it } from 'vitest';
import { show } from './checks/finding.ts';
import { checkPorts } from './checks/ports.ts';
import { sources } from './repo.ts';

/** Where the interfaces to the world stand; the same list is PORTS of .dependency-cruiser.cjs. */
const PORT =
  /^src\/(worker\/(sandbox|agent)|stages\/runs\/blobs|support\/repositories\/upstream|gateway\/(upstream|ledger))[.]ts$/;

describe('ports', () => {
  it('refuses an eighth method, of either form', () => {
    const methods = (count: number) =>
      Array.from({ length: count }, (_, i) => (i % 2 ? `m${i}(): void;` : `m${i}: () => void;`)).join(' ');
    const text = `interface Wide { name: string; ${methods(8)} }\ninterface Fits { name: string; ${methods(7)} }`;
    expect(show(checkPorts([{ path: 'src/worker/sandbox.ts', text }]))).toEqual([
      'src/worker/sandbox.ts:1 Wide has 8 methods, at most 7: it is two ports',
    ]);
  });

  it('finds nothing here', () => {
    expect(show(checkPorts(sources(PORT)))).toEqual([]);
  });
});
