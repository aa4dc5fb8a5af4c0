import { trunkList } from '../../../contract/trunks.ts';
import type { WireProject } from '../../../contract/projects.ts';
import type { Context } from '../context.ts';

/** The branch that the server will open for a card of this name in the project; asked before there is a spec. */
export async function branchToBe({ client }: Context, { id }: WireProject, name: string): Promise<string> {
  const { trunks } = await client.request('GET', '/api/trunks', { query: { project_id: id }, schema: trunkList });
  const taken = new Set(trunks.map(trunk => trunk.branch));
  const branch = branchFor(name.trim());
  for (let number = 1; ; number += 1) {
    const free = number === 1 ? branch : `${branch}-${number}`;
    if (!taken.has(free)) return free;
  }
}

const slugLengthMax = 60;

/** As the server makes it: a test compares the two. */
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
