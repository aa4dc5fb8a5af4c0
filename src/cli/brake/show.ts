import type { Command } from 'commander';
import { brake, type WireBrake } from '../../../contract/fleet/brake.ts';
import { remoteCommand } from '../command.ts';
import { connect } from '../context.ts';
import type { Context, RemoteOptions, World } from '../context.ts';
import { fields } from '../output/table.ts';
import { painted } from '../output/text.ts';

export function brakeShow(world: World): Command {
  return remoteCommand({
    name: 'show',
    description: 'Show whether claims are held back, why, and until when',
    examples: ['skep brake show'],
  }).action(async (options: RemoteOptions) => {
    const context = await connect(world, options);
    const now = await context.client.request('GET', '/api/brake', { schema: brake });
    context.show(now, () => brakeText(context, now));
  });
}

const meanings = {
  off: 'off: runs are claimed',
  trying: 'trying: one run at a time, until one is handed in',
  on: 'on: nothing is claimed; what runs goes on',
} as const;
const colours = { off: 'completed', trying: 'waiting', on: 'failed' } as const;

export function brakeText({ out }: Context, { state, reason, pulled_by, pulled_at, due_at, pulls }: WireBrake): string {
  const isPulled = state !== 'off';
  return fields([
    ['brake', meanings[state], text => painted(out, colours[state], text)],
    ['reason', isPulled ? reason : null],
    ['pulled by', isPulled ? pulled_by : null],
    ['pulled at', isPulled ? pulled_at : null],
    ['in a row', isPulled && pulls > 1 ? pulls : null],
    ['tried at', state === 'on' ? (due_at ?? 'when you lift it: skep brake lift') : null],
  ]);
}
