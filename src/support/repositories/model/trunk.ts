import type { trunkStates } from '../../../../contract/trunks.ts';
import type { Machine } from '../../../kernel/machine.ts';

export type TrunkState = (typeof trunkStates)[number];
export type TrunkVerb = 'prepare' | 'check' | 'open' | 'refuse';

/** Nothing leaves `ready`: from then on work is merged into it. What is refused waits for a person, who has it prepared again. */
export const trunkMachine: Machine<TrunkState, TrunkVerb> = {
  preparing: { check: 'checking', open: 'ready', refuse: 'refused' },
  checking: { open: 'ready', refuse: 'refused' },
  refused: { prepare: 'preparing' },
  ready: {},
};

const slugLengthMax = 60;

/** A branch name for a title: what git, shells and people take without a second look. */
export function branchFor(title: string): string {
  const slug = title
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[\u0300-\u036f]/g, '')
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, slugLengthMax)
    .replace(/^-+|-+$/g, '');
  return `skep/${slug === '' ? 'work' : slug}`;
}

/** The first of `branch`, `branch-2`, `branch-3` … that is not taken. */
export function freeBranch(branch: string, taken: ReadonlySet<string>): string {
  for (let number = 1; ; number++) {
    const name = number === 1 ? branch : `${branch}-${number}`;
    if (!taken.has(name)) return name;
  }
}
