import type { Claimed } from '../../../contract/runs.ts';
import { systemClock } from '../../../src/kernel/clock.ts';
import { silentLog } from '../../../src/kernel/log.ts';
import { createSweep } from '../../../src/stages/runs/index.ts';
import { createToken, revokeToken } from '../../../src/support/access/index.ts';
import { until } from '../../harness/process.ts';
import { callWith } from '../../harness/server.ts';
import type { Stages } from '../../harness/stages.ts';
import type { Hand, Write } from './writes.ts';

/** Where zombies are made. */
export interface Ground {
  readonly stages: Stages;
  readonly url: string;
  /** Tokens of the API: of a worker, and of whoever may do all. */
  readonly worker: string;
  readonly admin: string;
}

/** Somebody who believes that a run is his. */
export interface Zombie {
  readonly name: string;
  /** How each kind of write is answered; a kind that is left out would be believed, and rightly. */
  readonly refusals: Readonly<Partial<Record<Write['by'], number>>>;
  /** What he may say again, since he was the one who said it: it is answered as before, and changes nothing. */
  readonly mayRepeat?: readonly string[];
  rise(ground: Ground): Promise<Hand>;
}

/** Of a run that was his: his worker is known all the same. */
const late = { lease: 409, 'run token': 401 };

export const zombies: readonly Zombie[] = [
  {
    name: 'whose lease has run out, and nobody has seen it yet',
    refusals: { ...late, 'worker token': 204 },
    async rise(ground) {
      const hand = await claim(ground);
      await ground.stages.expire(hand.runId);
      return hand;
    },
  },
  { name: 'whose run was lost', refusals: late, rise: lost },
  {
    name: 'whose work another has taken over',
    refusals: { ...late, 'worker token': 204 },
    async rise(ground) {
      const hand = await lost(ground);
      await claimed(ground, hand.ticketId);
      return hand;
    },
  },
  {
    name: 'who writes to the run of the one that has taken over',
    refusals: { ...late, 'worker token': 204 },
    async rise(ground) {
      const hand = await lost(ground);
      const { run } = await claimed(ground, hand.ticketId);
      return { ...hand, runId: run.id };
    },
  },
  {
    name: 'whose work another has taken over and handed in',
    refusals: late,
    async rise(ground) {
      const hand = await lost(ground);
      const { run, lease } = await claimed(ground, hand.ticketId);
      await said(ground, 'complete', { run_id: run.id, token: lease.token });
      return hand;
    },
  },
  {
    name: 'whose run was cancelled',
    refusals: { ...late, 'worker token': 204 },
    async rise(ground) {
      const hand = await claim(ground);
      await callWith(ground.url, ground.admin)('POST', `/api/runs/${hand.runId}/cancel`);
      await ground.stages.drain();
      return hand;
    },
  },
  {
    name: 'whose ticket was cancelled',
    refusals: { ...late, 'worker token': 204 },
    async rise(ground) {
      const hand = await claim(ground);
      await callWith(ground.url, ground.admin)('POST', `/api/tickets/${hand.ticketId}/cancel`, {});
      await ground.stages.drain();
      return hand;
    },
  },
  {
    name: 'who has completed it already',
    refusals: { ...late, 'worker token': 204 },
    mayRepeat: ['completion'],
    rise: ground => over(ground, 'complete'),
  },
  {
    name: 'who has failed it already',
    refusals: { ...late, 'worker token': 204 },
    mayRepeat: ['failure', 'handing back'],
    rise: ground => over(ground, 'fail'),
  },
  {
    name: 'who holds another run',
    refusals: { lease: 409 },
    async rise(ground) {
      const [mine, other] = [await claim(ground), await claim(ground)];
      return { ...mine, runId: other.runId, ticketId: other.ticketId };
    },
  },
  {
    name: 'with invented tokens of lease and run',
    refusals: late,
    async rise(ground) {
      return { ...(await claim(ground)), leaseToken: 'A'.repeat(43), runToken: `skeprun_${'A'.repeat(43)}` };
    },
  },
  ...strangers(),
];

/** Who is not known, or not here, whatever else he knows. */
function strangers(): Zombie[] {
  const unknown = { lease: 401, 'worker token': 401, 'run token': 401 };
  const instead = async (ground: Ground, token: string): Promise<Hand> => {
    const hand = await claim(ground);
    return { ...hand, apiToken: token, runToken: token };
  };
  return [
    { name: 'with an invented token', refusals: unknown, rise: ground => instead(ground, `skep_${'A'.repeat(43)}`) },
    {
      name: 'with a token that was revoked',
      refusals: unknown,
      async rise(ground) {
        const { stages } = ground;
        const { token, secret } = await stages.app(tx => createToken(tx, { name: 'gone', role: 'worker' }));
        await stages.app(tx => revokeToken(tx, token.id));
        return instead(ground, secret);
      },
    },
    {
      name: 'with a token of another tenant',
      refusals: { lease: 404, 'worker token': 204, 'run token': 401 },
      async rise(ground) {
        const { stages } = ground;
        const [found] = await stages.sql<{ id: string }>(`select id from skep.tenants where name = 'others'`);
        const tenantId = found?.id ?? (await stages.makeTenant('others'));
        const { secret } = await stages.app(tx => createToken(tx, { name: 'w', role: 'worker' }), tenantId);
        return instead(ground, secret);
      },
    },
  ];
}

/** A run of a new ticket, in the hands of its worker. */
export async function claim(ground: Ground): Promise<Hand> {
  const ticketId = await ground.stages.open();
  await ground.stages.drain();
  const { run, lease, gateway, task } = await claimed(ground, ticketId);
  const tokens = { apiToken: ground.worker, leaseToken: lease.token, runToken: gateway.token };
  return { ...tokens, runId: run.id, ticketId, commit: task.commit };
}

async function claimed({ url, worker }: Ground, ticketId: string): Promise<Claimed> {
  const { status, body } = await callWith(url, worker)('POST', '/api/claim', {
    ...{ worker: 'w', ticket_id: ticketId, wait_ms: 10_000 },
  });
  if (status !== 200) throw new Error(`${ticketId} could not be claimed: ${status} ${JSON.stringify(body)}`);
  return body as unknown as Claimed;
}

/** As the sweep of a server takes it back; its ticket waits for the next. */
async function lost(ground: Ground): Promise<Hand> {
  const { stages } = ground;
  const hand = await claim(ground);
  await stages.expire(hand.runId);
  const sweep = createSweep({ ...stages, clock: systemClock, log: silentLog });
  sweep.start();
  await until('the run is lost', async () => {
    const [row] = await stages.sql<{ state: string }>('select state from runs where id = $1', [hand.runId]);
    return row?.state === 'lost' || undefined;
  });
  await sweep.stop();
  await stages.drain();
  return hand;
}

async function over(ground: Ground, verb: 'complete' | 'fail'): Promise<Hand> {
  const hand = await claim(ground);
  const more = verb === 'fail' ? { class: 'invalid_task' } : {};
  await said(ground, verb, { run_id: hand.runId, token: hand.leaseToken, ...more });
  return hand;
}

async function said({ url, worker }: Ground, verb: 'complete' | 'fail', body: object): Promise<void> {
  const { status } = await callWith(url, worker)('POST', `/api/${verb}`, body);
  if (status !== 200) throw new Error(`${verb} answered ${status}`);
}
