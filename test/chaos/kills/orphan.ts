import { until } from '../../harness/process.ts';
import { patienceMs, type World } from '../world.ts';

/** A worker dies while its agent is at work; the ticket. */
export async function leaveOrphan(world: World, name: string): Promise<string> {
  const doomed = world.worker(name);
  const id = await world.ticket(world.project('sleeping'));
  await until(
    'the agent sleeps',
    async () => {
      const { body } = await world.ask('GET', `/api/tickets/${id}`);
      return body['status'] === 'running' && world.sleepers().length > 0 ? true : undefined;
    },
    patienceMs,
  );
  await doomed.kill('SIGKILL');
  return id;
}
