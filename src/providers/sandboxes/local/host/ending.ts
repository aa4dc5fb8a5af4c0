import type { Clock } from '../../../../kernel/clock.ts';
import { Fault } from '../../../../kernel/fault.ts';

/** How long a process that was killed is waited for. */
export const clearMsMax = 10_000;

/** What comes of what is about to end. Throws Fault `failed` where it does not end. */
export async function within<T>(ended: Promise<T>, clock: Clock): Promise<T> {
  const over = new AbortController();
  const late = clock.sleep(clearMsMax, over.signal).then((): 'late' => 'late');
  const first = await Promise.race([ended.then(value => ({ value })), late]);
  over.abort('over');
  if (first === 'late') throw endlessFault();
  return first.value;
}

/** What is frozen, or waits for a disk that does not answer, is dead and ends when it is let go on; nobody need wait for that. */
export function endlessFault(): Fault {
  return new Fault('failed', { message: 'a process of a sandbox does not end', hint: 'look for one in state D' });
}
