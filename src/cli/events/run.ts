import type { Command } from 'commander';
import { eventPage } from '../../../contract/events.ts';
import type { WireEvent } from '../../../contract/events.ts';
import { remoteCommand, whole } from '../command.ts';
import { connect } from '../context.ts';
import type { Context, RemoteOptions, World } from '../context.ts';
import { shortId } from '../input/id.ts';
import { printable, styled } from '../output/text.ts';
import { followEvents } from './live.ts';

interface Options extends RemoteOptions {
  readonly follow?: boolean;
  readonly after?: string;
  readonly subject?: string;
  readonly limit?: number;
}

export function eventsCommand(world: World): Command {
  return remoteCommand({
    name: 'events',
    description: 'Print what happened, oldest first; with --follow what happens from now on',
    examples: ['skep events --subject TKT-001', 'skep events --follow --json', "skep events --follow --after ''"],
  })
    .option('-f, --follow', 'go on with what happens, until Ctrl-C')
    .option(
      '--after <cursor>',
      'only what is later than this cursor (--json shows it); with --follow an empty one is: from the beginning',
    )
    .option('--subject <id>', 'only events of this ticket, session or run')
    .option('--limit <n>', 'at most so many', whole(1, 1_000_000))
    .action(async (options: Options) => {
      const context = await connect(world, options);
      if (options.follow === true) await follow(context, options);
      else await history(context, options);
    });
}

async function history(
  context: Context,
  { after: first, subject, limit: max = Number.POSITIVE_INFINITY }: Options,
): Promise<void> {
  let after = first || undefined;
  for (let left = max; left > 0; ) {
    const limit = Math.min(left, 500);
    const page = await context.client.request('GET', '/api/events', { query: { after, subject, limit }, schema: eventPage });
    for (const event of page.events) print(context, event);
    left -= page.events.length;
    // The last page is not told apart: what comes later has the same cursor to begin at.
    if (page.events.length < limit) return;
    after = page.next;
  }
}

async function follow(context: Context, { after = 'now', subject, limit = Number.POSITIVE_INFINITY }: Options): Promise<void> {
  let left = limit;
  for await (const event of followEvents(context, after || undefined)) {
    if (subject !== undefined && event.subject.id !== subject) continue;
    print(context, event);
    left -= 1;
    if (left === 0) return;
  }
}

function print({ out, json }: Context, event: WireEvent): void {
  if (json) {
    out.write(`${JSON.stringify(event)}\n`);
    return;
  }
  const { at, type, subject, actor, payload } = event;
  const facts = Object.keys(payload).length === 0 ? '' : `  ${styled(out, 'dim', printable(JSON.stringify(payload)))}`;
  const who = actor.replace(uuid, shortId);
  out.write(
    `${at.slice(0, 19)}Z  ${printable(type).padEnd(19)}  ${printable(subject.id).replace(uuid, shortId).padEnd(8)}  ${printable(who)}${facts}\n`,
  );
}

const uuid = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/;
