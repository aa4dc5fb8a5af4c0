import type { WireVm } from '../../../contract/fleet/vms.ts';

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
