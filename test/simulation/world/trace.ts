import { beginning, type Scheduler } from './scheduler.ts';

/** What happened, for people and for the comparison of two runs of a seed. Ids are told by the order in which they were first seen. */
export interface Trace {
  say(actor: string, what: string): void;
  /** A short name for a random id: the same in each run of the seed. */
  name(id: string | null | undefined): string;
  /** Of all that was said. */
  hash(): string;
  /** The last lines, oldest first; all where `isWhole`. */
  lines(): string[];
}

const linesMax = 400;

export function createTrace(scheduler: Pick<Scheduler, 'now'>, { isWhole = false }: { readonly isWhole?: boolean } = {}): Trace {
  const names = new Map<string, string>();
  const kept: string[] = [];
  let hash = 2_166_136_261;
  let other = 5_381;
  return {
    say(actor, what) {
      const line = `${scheduler.now() - beginning} ${actor} ${what}`;
      for (let i = 0; i < line.length; i++) {
        const code = line.charCodeAt(i);
        hash = Math.imul(hash ^ code, 16_777_619);
        other = (Math.imul(other, 33) + code) | 0;
      }
      kept.push(line);
      if (!isWhole && kept.length > 2 * linesMax) kept.splice(0, linesMax);
    },
    name(id) {
      if (id === null || id === undefined) return '-';
      const known = names.get(id);
      if (known !== undefined) return known;
      const name = `#${names.size + 1}`;
      names.set(id, name);
      return name;
    },
    hash: () => `${hex(hash)}${hex(other)}`,
    lines: () => (isWhole ? kept : kept.slice(-linesMax)),
  };
}

function hex(value: number): string {
  return (value >>> 0).toString(16).padStart(8, '0');
}
