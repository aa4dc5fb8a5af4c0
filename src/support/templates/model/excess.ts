import type { Agent } from '../../../../contract/projects.ts';
import type { RunLimits } from '../../../../contract/runs.ts';
import type { SandboxLimit, TemplateLimits } from '../../../../contract/templates/document.ts';

interface Asking {
  readonly agent: Agent;
  readonly limits: TemplateLimits;
}

type Asked = readonly [field: string, name: keyof typeof settingOf, value: number | undefined];

/** What a template asks for and will not get, in words: where the server allows a run less, that holds. */
export function excessOf({ agent, limits }: Asking, allowed: RunLimits): string[] {
  const asked: readonly Asked[] = [
    ['agent.timeout_ms', 'timeout_ms', agent.timeout_ms],
    ...names.map((name): Asked => [`limits.${name}`, name, limits[name]]),
  ];
  return asked.flatMap(([field, name, value]) =>
    value === undefined || value <= allowed[name]
      ? []
      : [`${field}: ${value} is more than the server allows a run: ${allowed[name]} will hold (its setting ${settingOf[name]})`],
  );
}

const settingOf = {
  timeout_ms: 'SKEP_RUN_TIMEOUT_MS',
  memory_bytes: 'SKEP_RUN_MEMORY_BYTES',
  process_count: 'SKEP_RUN_PROCESSES',
  cpu_count: 'SKEP_RUN_CPUS',
  tmp_bytes: 'SKEP_RUN_TMP_BYTES',
  workspace_bytes: 'SKEP_RUN_WORKSPACE_BYTES',
  output_bytes_max: 'SKEP_RUN_OUTPUT_BYTES_MAX',
} as const satisfies Readonly<Record<SandboxLimit | 'timeout_ms', string>>;

const names = (Object.keys(settingOf) as readonly (keyof typeof settingOf)[]).filter(name => name !== 'timeout_ms');
