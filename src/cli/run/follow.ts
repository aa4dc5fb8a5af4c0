import type { Command } from 'commander';
import { eventPage } from '../../../contract/events.ts';
import type { WireEvent } from '../../../contract/events.ts';
import type { WireRun } from '../../../contract/runs.ts';
import { remoteCommand } from '../command.ts';
import { connect } from '../context.ts';
import type { Context, RemoteOptions, World } from '../context.ts';
import { styled, tamedLog } from '../output/text.ts';
import { createLasting } from '../place/again.ts';
import { Concluded } from '../report.ts';
import { hasEnded, runById, runId } from './find.ts';
import { copyLog } from './log.ts';
import { lastEvents, runNews } from './news.ts';

export function runFollow(world: World): Command {
  return remoteCommand({
    name: 'follow',
    description: 'Tell what becomes of a run, from its beginning to its end, with what its agent writes',
    examples: ['skep run follow 3f2a', 'skep run follow 3f2a --json'],
  })
    .argument('<id>', 'the run; may be shortened')
    .action(async (id: string, options: RemoteOptions) => {
      const context = await connect(world, options);
      const whole = await runId(context, id);
      const ended = await follow(createLasting(world, options, { first: context, patienceMs }), whole);
      if (['failed', 'lost', 'cancelled'].includes(ended.state)) throw new Concluded(1);
    });
}

const pollMs = 500;
const patienceMs = 600_000;
/** The end of a run is in its row a moment before it is in the log of events. */
const lastLooksMax = 10;

/** Until nothing more is written of the run; a server that is away meanwhile is waited for, ten minutes at most. */
async function follow(lasting: ReturnType<typeof createLasting>, id: string): Promise<WireRun> {
  const { clock, err } = lasting.context;
  const place: Place = { id, after: undefined, offset: 0, hasEnded: false };
  const printer = createPrinter(lasting.context);
  let isAway = false;
  for (let lastLooks = 0; ; ) {
    try {
      // Asked before the rest is read: what comes after a run has ended is nothing.
      const run = await runById(lasting.context, id);
      await look(lasting.context, place, printer);
      lasting.answered();
      isAway = false;
      if (hasEnded(run) && (place.hasEnded || ++lastLooks >= lastLooksMax)) return run;
    } catch (error) {
      const { message } = await lasting.lost(error);
      if (!isAway && !lasting.context.json) err.write(`${message}; trying again\n`);
      isAway = true;
    }
    await clock.sleep(pollMs);
  }
}

/** How far the run has been told. */
interface Place {
  readonly id: string;
  after: string | undefined;
  /** Bytes of its log. */
  offset: number;
  hasEnded: boolean;
}

const pageRows = 500;

/** What is new, its end last: what was written before the end was handed in before it. */
async function look(context: Context, place: Place, { event: print, chunk }: Printer): Promise<void> {
  const ends: WireEvent[] = [];
  try {
    for (let rows = pageRows; rows === pageRows; ) {
      const query = { after: place.after, subject: place.id, limit: pageRows };
      const page = await context.client.request('GET', '/api/events', { query, schema: eventPage });
      for (const event of page.events) {
        if (lastEvents.has(event.type) || ends.length > 0) ends.push(event);
        else print(event);
      }
      place.after = page.next;
      rows = page.events.length;
    }
    await copyLog(context, `/api/runs/${place.id}/log?offset=${place.offset}`, bytes => {
      // Counted as it comes, so that after a broken connection nothing is printed twice.
      place.offset += bytes.length;
      chunk(bytes);
    });
  } finally {
    for (const event of ends) print(event);
    place.hasEnded ||= ends.length > 0;
  }
}

interface Printer {
  event(event: WireEvent): void;
  chunk(bytes: Uint8Array): void;
}

function createPrinter({ out, json }: Context): Printer {
  const decoder = new TextDecoder();
  if (json)
    return {
      event: event => out.write(`${JSON.stringify(event)}\n`),
      chunk: bytes => out.write(`${JSON.stringify({ type: 'log', text: decoder.decode(bytes, { stream: true }) })}\n`),
    };
  let isLineOpen = false;
  return {
    event(event) {
      const line = `-- ${event.at.slice(11, 19)}Z  ${runNews(event)}`;
      out.write(`${isLineOpen ? '\n' : ''}${styled(out, styleOf(event), line)}\n`);
      isLineOpen = false;
    },
    chunk(bytes) {
      if (bytes.length === 0) return;
      const text = decoder.decode(bytes, { stream: true });
      out.write(out.isTerminal ? tamedLog(text) : bytes);
      isLineOpen = bytes.at(-1) !== 10;
    },
  };
}

function styleOf({ type, payload }: WireEvent): 'red' | 'yellow' | 'green' | 'cyan' {
  if (type === 'run.failed' || type === 'run.lost') return 'red';
  if (type === 'run.submitted' || type === 'run.accepted') return 'green';
  const isWarning = ['run.halted', 'run.parked', 'run.returned', 'run.cancelled'].includes(type);
  return isWarning || (type === 'run.health' && payload['health'] !== 'ok') ? 'yellow' : 'cyan';
}
