import type { Command } from 'commander';
import { remoteCommand, usage } from '../command.ts';
import { connect } from '../context.ts';
import type { Context, RemoteOptions, World } from '../context.ts';
import { createLasting } from '../place/again.ts';
import { redrawMs, showLive } from './live.ts';
import { endless, pictureLines } from './picture.ts';
import { openSource, type Source } from './source.ts';

interface Options extends RemoteOptions {
  readonly once?: boolean;
  readonly follow?: boolean;
}

export function topCommand(world: World): Command {
  return remoteCommand({
    name: 'top',
    description: 'What runs, waits and is held back, and who works on it: live on a terminal',
    examples: ['skep top', 'skep top --once', 'skep top --json --follow'],
  })
    .option('--once', 'one picture and no more; so it is where stdout is no terminal')
    .option('-f, --follow', 'with --json: a document each second, until Ctrl-C')
    .action(async (options: Options) => {
      if (options.follow === true && options.json !== true) {
        throw usage(
          '--follow goes with --json',
          'On a terminal skep top follows by itself; for programs: skep top --json --follow',
        );
      }
      if (options.follow === true && options.once === true) throw usage('--follow and --once say the opposite: give one of them');
      const context = await connect(world, options, { mayStart: false });
      await show(world, context, options);
    });
}

async function show(world: World, context: Context, options: Options): Promise<void> {
  const source = openSource(createLasting(world, options, { first: context }));
  const first = await source.look(new AbortController().signal);
  if ('away' in first) throw first.away;
  const { out } = world;
  if (options.follow === true) await follow(context, source, first.top);
  else if (options.json !== true && options.once !== true && out.isTerminal) await showLive(world, source, first.top);
  else {
    const scene = { top: first.top, server: source.server, awayMs: undefined, foot: '' };
    const wide = out.isTerminal ? (out.size?.()?.columns ?? Infinity) : Infinity;
    context.show(first.top, () => pictureLines(scene, out, { ...endless, columns: wide }).join('\n'));
  }
}

/** JSON Lines without end. That the server is away is said once each time, on stderr. */
async function follow({ out, err, clock }: Context, source: Source, first: object): Promise<never> {
  out.write(`${JSON.stringify(first)}\n`);
  const never = new AbortController().signal;
  let isAway = false;
  for (;;) {
    await clock.sleep(redrawMs);
    const got = await source.look(never);
    if ('top' in got) out.write(`${JSON.stringify(got.top)}\n`);
    if ('away' in got && !isAway) err.write(`${JSON.stringify({ error: got.away.message, code: got.away.code })}\n`);
    isAway = 'away' in got;
  }
}
