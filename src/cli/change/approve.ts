import type { Command } from 'commander';
import type { WireChange } from '../../../contract/changes.ts';
import { Fault } from '../../kernel/fault.ts';
import { remoteCommand, usage } from '../command.ts';
import { connect } from '../context.ts';
import type { Context, RemoteOptions, World } from '../context.ts';
import { approveChange, rejectChange } from './decide.ts';
import { changeText, findChange, waits } from './find.ts';

interface ApproveOptions extends RemoteOptions {
  readonly yes?: boolean;
}

export function changeApprove(world: World): Command {
  const command = remoteCommand({
    name: 'approve',
    description: 'Let a flagged change be merged. What is approved is the head that is shown; later work needs another approval',
    examples: ['skep change approve TKT-003', 'skep change approve TKT-003 --yes'],
  })
    .argument('<id>', 'the change, which may be shortened, or its ticket')
    .option('-y, --yes', 'do not ask');
  return command.action(async (id: string, options: ApproveOptions) => {
    const context = await connect(world, options);
    const change = await findChange(context, id);
    if (!waits(change)) throw notWaiting(change);
    if (options.yes !== true) await confirm(world, context, change);
    const now = await approveChange(context, change);
    context.show(now, () => changeText(context, now));
  });
}

interface RejectOptions extends RemoteOptions {
  readonly reason: string;
}

export function changeReject(world: World): Command {
  const command = remoteCommand({
    name: 'reject',
    description: 'Send a flagged change back; the next attempt is told why',
    examples: ["skep change reject TKT-003 --reason 'Leave the tests as they are'"],
  })
    .argument('<id>', 'the change, which may be shortened, or its ticket')
    .requiredOption('--reason <text>', 'what the next attempt is told');
  return command.action(async (id: string, options: RejectOptions) => {
    if (options.reason.trim() === '') throw usage('The reason is empty', 'The next attempt is told it');
    const context = await connect(world, options);
    const change = await findChange(context, id);
    if (!waits(change)) throw notWaiting(change);
    const now = await rejectChange(context, change, options.reason);
    context.show(now, () => changeText(context, now));
  });
}

async function confirm(world: World, { isTerminal, err, ...context }: Context, change: WireChange): Promise<void> {
  if (!isTerminal) {
    throw new Fault('confirmation_required', {
      message: 'An approval must be confirmed, and there is no terminal to ask on',
      hint: `Look at it: skep change diff ${change.ticket_id}; then add --yes`,
    });
  }
  err.write(`${changeText({ ...context, isTerminal, err }, change)}\n`);
  const answer = await world.input.ask(`Merge ${change.head_sha.slice(0, 12)}? [y/N] `);
  if (!/^\s*y(es)?\s*$/i.test(answer)) {
    throw new Fault('confirmation_required', { message: 'Not confirmed: nothing was approved' });
  }
}

function notWaiting({ ticket_id, state, approval }: WireChange): Fault {
  const what = state === 'open' && approval !== 'needed' ? 'open and needs no approval' : state;
  return new Fault('wrong_state', {
    message: `The change of ${ticket_id} is ${what}`,
    hint: 'What waits for you: skep change list --waiting',
  });
}
