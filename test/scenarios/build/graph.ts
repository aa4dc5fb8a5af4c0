import { expect } from 'vitest';
import type { WireRun } from '../../../contract/runs.ts';
import type { Farm } from '../../harness/farm.ts';
import { git } from '../../samples/git.ts';
import { filesOn, isAncestor, landedOn } from './published.ts';
import type { Outcome } from './story.ts';

/**
 * All tickets of the agent `stamper` landed: each once, with its file and nobody else's lost, and none began before the work of all
 * that it depends on was in what it began from. By git and the trailers of the commits; of the server only the runs are asked.
 */
export async function expectGraph(farm: Pick<Farm, 'call'>, { tickets, trunk }: Outcome, folder: string): Promise<void> {
  const landed = landedOn(folder, trunk.branch, trunk.base_sha ?? '');
  const merges = new Map(landed.map(({ trailers, commit }) => [trailers['Skep-Ticket']?.join() ?? 'none', commit]));
  const ids = tickets.map(ticket => ticket.id);
  expect(landed).toHaveLength(ids.length);
  expect([...merges.keys()].toSorted()).toEqual(ids.toSorted());
  expect(landed.filter(({ parents }) => parents.length !== 2)).toEqual([]);

  const files = new Set(filesOn(folder, trunk.branch));
  expect(ids.filter(id => !files.has(`work/${id}.txt`))).toEqual([]);
  expect(git(folder, 'rev-parse', `refs/heads/${trunk.branch}`)).toBe(landed.at(-1)?.commit);

  const tooEarly: string[] = [];
  for (const { trailers, parents } of landed) {
    const [runId = ''] = trailers['Skep-Run']?.[0]?.split(' ') ?? [];
    const run = (await farm.call('GET', `/api/runs/${runId}`)).body as unknown as WireRun;
    const begun = run.result?.base ?? '';
    expect(isAncestor(folder, begun, parents[1] ?? '')).toBe(true);
    const ticket = tickets.find(({ id }) => id === run.ticket_id);
    for (const need of ticket?.depends_on ?? []) {
      if (!isAncestor(folder, merges.get(need) ?? 'none', begun)) tooEarly.push(`${ticket?.id} before ${need}`);
    }
  }
  expect(tooEarly).toEqual([]);
}
