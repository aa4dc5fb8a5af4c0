import type { Command } from 'commander';
import { faultOfAnswer, faultOfNetwork } from '../../client/index.ts';
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
  let offset = 0;
  let answeredAt: number | undefined;
  for (;;) {
    try {
      // Asked before the log is read: what is written after the run has ended is nothing.
      const isLast = !follow || hasEnded(await runById(context, id));
      await copyLog(context, `/api/runs/${id}/log?offset=${offset}`, chunk => {
        // Counted as it comes, so that after a broken connection nothing is printed twice.
        offset += chunk.length;
        print(chunk);
      });
      if (isLast) return;
      answeredAt = context.clock.mono();
    } catch (error) {
      // A server that is started anew is no reason to stop watching; at the first look, or for long, it is.
      const isPatient = answeredAt !== undefined && context.clock.mono() - answeredAt < patienceMs;
      if (!isPatient || !isFault(error) || !error.kind.retry) throw error;
    }
    await context.clock.sleep(pollMs);
  }
}

const pollMs = 700;
const patienceMs = 60_000;

/** Of a path of the API. Copies while it arrives, and not by the client, which answers text: offsets count bytes, and logs can be large. */
export async function copyLog(
  { server, token }: Pick<Context, 'server' | 'token'>,
  path: string,
  print: (chunk: Uint8Array) => void,
): Promise<void> {
  try {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const answer = await fetch(`${server}${path}`, { headers, redirect: 'error' });
    if (!answer.ok) throw faultOfAnswer(answer, await answer.text());
    for await (const chunk of (answer.body ?? []) as AsyncIterable<Uint8Array>) print(chunk);
  } catch (error) {
    throw faultOfNetwork(error, { server, timeoutMs: 0, timedOut: false });
  }
}

function printer({ out, json }: Context): (chunk: Uint8Array) => void {
  const decoder = new TextDecoder();
  if (json) return chunk => out.write(`${JSON.stringify({ text: decoder.decode(chunk, { stream: true }) })}\n`);
  return out.isTerminal ? chunk => out.write(tamedLog(decoder.decode(chunk, { stream: true }))) : chunk => out.write(chunk);
}
