import { becomes, changesOf, type Commit, type Snapshot } from '../../oracle/types.ts';
import type { Dice } from '../dice.ts';
import type { World } from '../parts.ts';
import type { Ask } from './clicks.ts';

interface HastyParts {
  readonly world: World;
  readonly dice: Dice;
  readonly ask: Ask;
}

/** The longest until it is asked for, milliseconds: while the server is at what follows. */
const afterMsMax = 20;

/** A script that follows the log, and withdraws work in the moment in which it could be queued, or claimed. */
export function hasty({ world, dice, ask }: HastyParts): (commit: Commit, now: Snapshot) => void {
  const { haste } = world.options.faults;
  const withdraw = (id: string, rate: number): void => {
    if (!world.strikes.happens(dice, 'haste', rate)) return;
    world.scheduler.after(dice.between(0, afterMsMax), () => void ask(server => server.cancelTicket(id)));
  };
  return (commit, now) => {
    for (const id of canBeQueued(commit, now)) withdraw(id, haste);
    for (const change of changesOf(commit, 'runs')) {
      const ticketId = becomes(change, 'queued') ? change.after?.ticket_id : undefined;
      if (typeof ticketId === 'string') withdraw(ticketId, haste / 2);
    }
  };
}

/** Tickets that are ready since this commit, on a trunk that is; or whose trunk is ready since then. */
function canBeQueued(commit: Commit, now: Snapshot): string[] {
  const tickets = changesOf(commit, 'tickets').flatMap(({ before, after }) =>
    after?.status === 'ready' && before?.status !== 'ready' ? [after] : [],
  );
  const isNewTrunk = changesOf(commit, 'trunks').some(change => becomes(change, 'ready'));
  if (!isNewTrunk && tickets.length === 0) return [];
  const waited = isNewTrunk ? now.all('tickets').filter(({ status }) => status === 'ready') : [];
  const isOnTrunk = now.all('trunks').some(({ state }) => state === 'ready');
  return isOnTrunk ? [...waited, ...tickets].flatMap(({ id, type }) => (type === 'epic' ? [] : [id])) : [];
}
