import type { Command } from 'commander';
import { faultOfAnswer, faultOfNetwork } from '../../client/answer.ts';
import { isFault } from '../../kernel/fault.ts';
import { remoteCommand } from '../command.ts';
import { connect } from '../context.ts';
import type { Context, RemoteOptions, World } from '../context.ts';
import { tamedLog } from '../output/text.ts';
import { hasEnded, runById, runId } from './find.ts';

interface Options extends RemoteOptions {
  readonly follow?: boolean;
}

export function runLog(world: World): Command {
  return remoteCommand({
    name: 'log',
    description: 'Print what the agent of a run wrote',
    examples: ['skep run log 3f2a --follow'],
  })
    .argument('<id>', 'the run; may be shortened')
    .option('-f, --follow', 'go on until the run ends')
    .action(async (id: string, options: Options) => {
      const context = await connect(world, options);
      await printLog(context, await runId(context, id), options.follow === true);
    });
}

/** Prints the log, byte for byte where stdout is no terminal. With `follow` it goes on until the run has ended. */
export async function printLog(context: Context, id: string, follow: boolean): Promise<void> {
  const print = printer(context);
  for (let offset = 0; ; ) {
    try {
      // Asked before the log is read: what is written after the run has ended is nothing.
      const isLast = !follow || hasEnded(await runById(context, id));
      offset += await copyLog(context, { path: `/api/runs/${id}/log?offset=${offset}`, print });
      if (isLast) return;
    } catch (error) {
      // A server that is restarted is no reason to stop watching; at the first look it is.
      if (!(follow && offset > 0 && isFault(error, 'server_unavailable'))) throw error;
    }
    await context.clock.sleep(pollMs);
  }
}

const pollMs = 700;

/** Copies while it arrives, and not by the client, which answers text: offsets count bytes, and logs can be large. */
async function copyLog(
  { server, token }: Context,
  { path, print }: { readonly path: string; readonly print: (chunk: Uint8Array) => void },
): Promise<number> {
  let bytes = 0;
  try {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const answer = await fetch(`${server}${path}`, { headers, redirect: 'error' });
    if (!answer.ok) throw faultOfAnswer(answer, await answer.text());
    for await (const chunk of (answer.body ?? []) as AsyncIterable<Uint8Array>) {
      bytes += chunk.length;
      print(chunk);
    }
    return bytes;
  } catch (error) {
    // What was printed must not be printed again: the next look begins behind it.
    if (bytes > 0) return bytes;
    throw faultOfNetwork(error, { server, timeoutMs: 0, timedOut: false });
  }
}

function printer({ out, json }: Context): (chunk: Uint8Array) => void {
  const decoder = new TextDecoder();
  if (json) return chunk => out.write(`${JSON.stringify({ text: decoder.decode(chunk, { stream: true }) })}\n`);
  return out.isTerminal ? chunk => out.write(tamedLog(decoder.decode(chunk, { stream: true }))) : chunk => out.write(chunk);
}
