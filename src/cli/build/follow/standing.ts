import type { WireResult } from '../../../../contract/results.ts';
import type { WireSession } from '../../../../contract/sessions.ts';
import type { WireTrunk } from '../../../../contract/trunks.ts';
import { activeStatuses } from './board.ts';
import type { Row } from './board.ts';

/** How a build stands: it moves by itself, or it is over, or it cannot go on without a person. */
export type Standing = 'moving' | 'completed' | 'cancelled' | 'refused' | 'waiting' | 'failed' | 'unpublished' | 'rejected';

interface Seen {
  readonly session: Pick<WireSession, 'state'>;
  readonly trunk: Pick<WireTrunk, 'state' | 'head_sha' | 'base_sha' | 'published_sha' | 'publish_error'> | undefined;
  /** What a person or Skep made of the newest result; undefined: there is none. */
  readonly result: WireResult['state'] | undefined;
  readonly rows: readonly Pick<Row, 'id' | 'status' | 'needs'>[];
}

/** Only the present state decides, so a build that is looked at again stands as it did. */
export function standingOf({ session, trunk, result, rows }: Seen): Standing {
  if (session.state === 'cancelled') return 'cancelled';
  if (trunk?.state === 'refused') return 'refused';
  if (trunk === undefined || trunk.state !== 'ready' || canMove(rows)) return 'moving';
  if (rows.some(({ status }) => status === 'failed')) return 'failed';
  if (rows.some(({ status }) => status === 'waiting')) return 'waiting';
  if (!isPublished(trunk)) return trunk.publish_error === null ? 'moving' : 'unpublished';
  // The result is submitted and validated behind the last merge.
  if (session.state === 'completed') return 'completed';
  return result === 'rejected' ? 'rejected' : 'moving';
}

/** Whether anything is at work or its turn will come; what waits for a failed or a waiting ticket does not move. */
function canMove(rows: Seen['rows']): boolean {
  return rows.some(({ status }) => status === 'ready' || activeStatuses.has(status));
}

/** Where nothing was merged there is nothing to publish. */
export function isPublished({
  head_sha,
  base_sha,
  published_sha,
}: Pick<WireTrunk, 'head_sha' | 'base_sha' | 'published_sha'>): boolean {
  return head_sha === base_sha || published_sha === head_sha;
}
