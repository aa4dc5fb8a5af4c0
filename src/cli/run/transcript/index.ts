import type { Command } from 'commander';
import { searchCharactersMax, transcriptTypes } from '../../../../contract/talk/transcript.ts';
import type { KeptTranscriptEvent } from '../../../../contract/talk/transcript.ts';
import { remoteCommand, usage, whole } from '../../command.ts';
import { connect } from '../../context.ts';
import type { Context, RemoteOptions, World } from '../../context.ts';
import { shortId, ticketId } from '../../input/id.ts';
import { createLasting } from '../../place/again.ts';
import { runId, runShown } from '../find.ts';
import { eventsOf, pauseMsMax, played } from './events.ts';
import { printFound } from './search.ts';
import { createView } from './view.ts';

interface Options extends RemoteOptions {
  readonly follow?: boolean;
  readonly type?: string;
  readonly search?: string;
  readonly replay?: boolean;
  readonly speed?: number;
  readonly ticket?: string;
  readonly project?: string;
}

const patienceMs = 600_000;

export function runTranscript(world: World): Command {
  return remoteCommand({
    name: 'transcript',
    description: 'Print what the agent of a run did: messages, thoughts, calls of tools, changes of files',
    examples: [
      'skep run transcript 3f2a --follow',
      "skep run transcript 3f2a --type tool_call,tool_result --search 'npm test'",
      'skep run transcript 3f2a --replay --speed 4',
      "skep run transcript --search 'out of memory' --project web",
    ],
  })
    .argument('[id]', 'the run; may be shortened. Without it --search looks through all runs, the newest first')
    .option('-f, --follow', 'go on until the run ends')
    .option('--type <types>', `only these, with commas between them: ${transcriptTypes.join(', ')}`, typesIn)
    .option('--search <text>', 'only events with this text, in whatever capitals', searched)
    .option('--ticket <id>', 'without a run: only those of this ticket', ticketId)
    .option('--project <name>', 'without a run: only those of this project')
    .option('--replay', `with the times between the events; a pause of more than ${pauseMsMax / 1_000} s is shortened to that`)
    .option('--speed <n>', 'with --replay: so many times as quick', whole(1, 1_000))
    .action(async (given: string | undefined, options: Options) => {
      if (given === undefined) return searchAll(world, options);
      if (options.ticket !== undefined || options.project !== undefined)
        throw usage('--ticket and --project are for a search over many runs', 'Leave the run away');
      if (options.follow === true && options.replay === true)
        throw usage('--follow and --replay exclude each other', 'What still goes on has no end to be played to');
      if (options.speed !== undefined && options.replay !== true) throw usage('--speed goes with --replay');
      const context = await connect(world, options);
      const id = await runId(context, given);
      const { type, search, follow = false } = options;
      const lasting = createLasting(world, options, { first: context, patienceMs });
      const pages = eventsOf(lasting, { id, type, search, follow });
      const { speed = 1, replay = false } = options;
      const isEmpty = await print(context, replay ? played(pages, { clock: world.clock, speed }) : pages);
      if (isEmpty && !context.json) context.err.write(`${await whyNothing(lasting.context, id)}\n`);
    });
}

async function searchAll(world: World, options: Options): Promise<void> {
  const { search, type, ticket, project, follow, replay, speed } = options;
  if (search === undefined) throw usage('Name a run, or what to look for in all of them with --search');
  if (follow !== undefined || replay !== undefined || speed !== undefined) throw usage('--follow and --replay are for one run');
  await printFound(await connect(world, options), { words: search, type, ticket, project });
}

/** Whether there was nothing to print. */
async function print({ out, json }: Context, pages: AsyncIterable<readonly KeptTranscriptEvent[]>): Promise<boolean> {
  const view = createView(out);
  let isEmpty = true;
  for await (const events of pages) {
    isEmpty &&= events.length === 0;
    for (const event of events) out.write(json ? `${JSON.stringify(event)}\n` : view(event));
  }
  return isEmpty;
}

async function whyNothing(context: Context, id: string): Promise<string> {
  const { run } = await runShown(context, id);
  if (run.transcript_events > 0) return 'No event of this run is like that.';
  if (run.state === 'queued' || run.lease_expires_at !== null)
    return `The agent of this run has told nothing yet; wait for it with: skep run transcript ${shortId(id)} --follow`;
  return `This run has no transcript: agents that are a command (exec) tell no events, and nobody does of checks and planning. What was written: skep run log ${shortId(id)}`;
}

function typesIn(given: string): string {
  const types = given.split(',').map(type => type.trim());
  const unknown = types.find(type => !(transcriptTypes as readonly string[]).includes(type));
  if (unknown !== undefined) throw usage(`'${unknown}' is no type of event`, `One or more of ${transcriptTypes.join(', ')}`);
  return types.join(',');
}

function searched(text: string): string {
  if (text === '' || text.length > searchCharactersMax) throw usage(`--search takes 1 to ${searchCharactersMax} characters`);
  return text;
}
