import type { WireEvent } from '../../../contract/events.ts';
import { networkRefusal, networkRefused, refusalText } from '../../../contract/network/refusals.ts';
import { clockText } from '../build/view/words.ts';
import { printable } from '../output/text.ts';

/** Events after which nothing more is written by the holder of a run. */
export const lastEvents: ReadonlySet<string> = new Set([
  'run.submitted',
  'run.accepted',
  'run.failed',
  'run.lost',
  'run.returned',
  'run.cancelled',
  'run.parked',
]);

const detailMax = 300;

/** What an event says of its run, in a line. */
export function runNews({ type, actor, payload }: WireEvent): string {
  const text = (field: string) => (typeof payload[field] === 'string' ? printable(payload[field]) : '');
  const because = (field: string) => (text(field) === '' ? '' : `: ${text(field)}`);
  const said: Readonly<Record<string, () => string>> = {
    'run.queued': () =>
      typeof payload['waitMs'] === 'number' && payload['waitMs'] > 0 ? `queued, waits ${clockText(payload['waitMs'])}` : 'queued',
    'run.leased': () => `claimed by ${printable(actor.replace(/^worker:/, ''))}`,
    'run.started': () => `working${text('sandbox') === '' ? '' : `, in sandbox ${text('sandbox')}`}`,
    'run.reported': () => reportText(payload),
    'run.health': () => healthText(text('health')),
    'run.aged': () => 'has waited so long that it goes first',
    'run.halted': () => `stopped on the way${because('message')}`,
    'run.submitted': () => 'handed in',
    'run.failed': () => `failed: ${text('class')}${because('message')}`,
    'run.lost': () => 'lost: its worker was not heard of any more',
    'run.parked': () => `waits for a person${because('message')}`,
    'run.carried': () => 'its work so far is what the next attempt goes on from',
    'run.rescued': () => 'its work was found on the machine of a dead worker, and is kept',
    'run.cancelled': () => `cancelled${because('why')}`,
    'run.returned': () => 'sent back',
    'run.exhausted': () => `given up${because('reason')}`,
  };
  return said[type]?.() ?? printable(type.replace(/^run[.]/, ''));
}

function reportText({ report, details }: WireEvent['payload']): string {
  const { data: refusal } = networkRefusal.safeParse(report === networkRefused ? details : undefined);
  if (refusal !== undefined) return `${printable(refusalText(refusal))}${refusal.count === 1 ? '' : ` (${refusal.count} times)`}`;
  const phase = (details as { phase?: unknown } | null)?.phase;
  if (report === 'phase.started' && typeof phase === 'string') return `phase ${printable(phase)}`;
  return `${printable(String(report))} ${printable(JSON.stringify(details ?? {})).slice(0, detailMax)}`;
}

function healthText(health: string): string {
  if (health === 'late') return 'late: a heartbeat is missing';
  return health === 'degraded' ? 'degraded: two heartbeats are missing' : 'heard of again';
}
