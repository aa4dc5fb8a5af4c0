import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTrial, runTool } from './trial.ts';

const long = `export function screen(): number {\n  let sum = 0;\n${'  sum += 1;\n'.repeat(70)}  return sum;\n}\n`;

/** One file per rule of .oxlintrc.json on which the house relies most, each broken on purpose. */
const BROKEN: readonly (readonly [rule: string, text: string])[] = [
  [
    'no-floating-promises',
    'async function f(): Promise<void> { await g(); }\nasync function g(): Promise<void> { await f(); }\nf();',
  ],
  ['no-misused-promises', 'async function f(): Promise<boolean> { return await f(); }\nexport const x = f() ? 1 : 2;'],
  ['switch-exhaustiveness-check', `export function f(x: 'a' | 'b'): number { switch (x) { case 'a': return 1; }\n return 2; }`],
  ['no-explicit-any', 'export const x: any = 1;'],
  ['no-unsafe-assignment', `export const x: { a: number } = JSON.parse('');`],
  ['no-non-null-assertion', 'export const f = (x: number | undefined): number => x!;'],
  ['no-default-export', 'export default 1;'],
  ['max-lines-per-function', long],
  ['max-params', 'export const f = (a: number, b: number, c: number, d: number): number => a + b + c + d;'],
  ['no-console', 'console.log(1);'],
  ['eqeqeq', 'export const f = (x: unknown): boolean => x == 1;'],
  ['await-thenable', 'export async function f(): Promise<void> { await 1; }'],
  ['consistent-type-imports', `import { Buffer } from 'node:buffer';\nexport type B = Buffer;`],
  ['only-throw-error', `export function f(): never { throw 'x'; }`],
];

interface Judged {
  readonly diagnostics: readonly { readonly code: string; readonly filename: string; readonly severity: string }[];
  readonly number_of_files: number;
}

describe('the judge', () => {
  let judged: Judged;
  let trial: ReturnType<typeof createTrial>;

  beforeAll(() => {
    const files = BROKEN.map(([rule, text]) => [`src/${rule}.ts`, text] as const);
    trial = createTrial(new Map([...files, ['src/sound.ts', 'export const one = 1;\n'], ['src/long.test.ts', long]]));
    judged = runTool(trial.folder, 'oxlint/bin/oxlint', ['--type-aware', '--deny-warnings', '--format', 'json']) as Judged;
  });
  afterAll(() => trial.remove());

  it.each(BROKEN)('%s is refused', rule => {
    const codes = judged.diagnostics.filter(({ filename }) => filename === `src/${rule}.ts`).map(({ code }) => code);
    expect(codes).toContainEqual(expect.stringContaining(`(${rule})`));
  });

  it('lets a sound file and a long suite pass', () => {
    expect(judged.diagnostics.filter(({ filename }) => /sound|long/.test(filename))).toEqual([]);
  });
});
