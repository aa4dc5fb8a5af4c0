import { expect, it } from 'vitest';
import { excessOf } from './excess.ts';

const mebibyte = 2 ** 20;
const allowed = {
  ...{ timeout_ms: 1_800_000, output_bytes_max: mebibyte, bundle_bytes_max: mebibyte, memory_bytes: 64 * mebibyte },
  ...{ process_count: 256, cpu_count: 2, tmp_bytes: mebibyte, workspace_bytes: mebibyte },
};
const agent = { kind: 'exec' as const, command: ['x'] };

it('tells of each thing that a template asks for beyond what the server allows, and nothing of the rest', () => {
  const limits = { memory_bytes: 65 * mebibyte, process_count: 256, cpu_count: 2.5 };
  expect(excessOf({ agent: { ...agent, timeout_ms: 3_600_000 }, limits }, allowed)).toEqual([
    'agent.timeout_ms: 3600000 is more than the server allows a run: 1800000 will hold (its setting SKEP_RUN_TIMEOUT_MS)',
    'limits.memory_bytes: 68157440 is more than the server allows a run: 67108864 will hold (its setting SKEP_RUN_MEMORY_BYTES)',
    'limits.cpu_count: 2.5 is more than the server allows a run: 2 will hold (its setting SKEP_RUN_CPUS)',
  ]);
  expect(excessOf({ agent: { ...agent, timeout_ms: 1_800_000 }, limits: {} }, allowed)).toEqual([]);
  expect(excessOf({ agent, limits: { process_count: 8 } }, allowed)).toEqual([]);
});
