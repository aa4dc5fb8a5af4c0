import type { WireVm } from '../../../contract/fleet/vms.ts';
import type { Lack } from '../../worker/index.ts';

export function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`;
}

/** `3 s`, `4 min`, `5 h`, `6 d`: its largest part. */
export function age(ms: number): string {
  const parts = [
    [86_400_000, 'd'],
    [3_600_000, 'h'],
    [60_000, 'min'],
  ] as const;
  const [size, unit] = parts.find(([size]) => ms >= size) ?? ([1_000, 's'] as const);
  return `${Math.floor(ms / size)} ${unit}`;
}

/** One that is to be killed, and is there still, says so. */
export function stateText({ state, kill }: WireVm): string {
  return kill === null ? state : `${state}, to be killed`;
}

/** What it is made of, without what it is called. */
export function partsText(facts: Readonly<Record<string, string>>): string {
  const parts = ['runtime', 'runs_as', 'cgroups', 'launcher'].flatMap(name => {
    const fact = facts[name];
    return fact === undefined ? [] : [`${name.replace('_', ' ')} ${fact}`];
  });
  return parts.join('; ');
}

/** What is not held, or not as it could be, and why. */
export function lackText({ about, why }: Lack): string {
  return `${about.join(', ')}: ${why}`;
}
