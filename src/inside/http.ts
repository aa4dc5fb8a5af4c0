import { text } from 'node:stream/consumers';
import type { EndpointAnswer } from '../../contract/network/endpoint.ts';
import { systemClock } from '../kernel/clock.ts';
import type { HttpEvent, HttpTurn } from '../worker/host/http-turn.ts';
import { NoWork, passing, workIn } from './http/judge.ts';
import { post, TooLarge } from './http/post.ts';
import type { Answer } from './http/post.ts';
import { Misplaced, refusePlace, removeBelow, writeBelow } from './looking/place.ts';

// An endpoint as an agent: hands it the ticket, through the proxy of the sandbox, and puts what it answers into the repository in the
// working directory.

const bytesMax = 33_554_432;
/** Between one try and the next, where the last may have been of no use by chance. */
const waitsMs = [1_000, 4_000];

async function main(): Promise<HttpEvent> {
  const turn = JSON.parse(await text(process.stdin)) as HttpTurn;
  const url = new URL(turn.url);
  const { summary, files } = workIn(await answerOf(turn, url), url);
  keep(files);
  return { event: 'done', summary, files: files.length };
}

/** The same ticket has the same key, so that who got it twice can know. */
async function answerOf({ headers, task }: HttpTurn, url: URL): Promise<Answer> {
  const proxy = new URL(process.env['http_proxy'] ?? '');
  const all = { ...headers, 'content-type': 'application/json', accept: 'application/json' };
  for (let tries = 0; ; tries += 1) {
    say(`posting the ticket to ${url.origin}${url.pathname}`);
    const waitMs = waitsMs[tries];
    const answer = await post({ url, proxy, headers: all, body: task, bytesMax }).catch((error: unknown) => {
      if (error instanceof TooLarge) throw new NoWork('malformed', error.message);
      // It may be at work on it: asking again would have it done twice.
      throw new NoWork('away', `the connection broke off (${error instanceof Error ? error.message : String(error)})`);
    });
    if (!passing.has(answer.status) || waitMs === undefined) return answer;
    say(`it answers ${answer.status}; trying again in ${waitMs} ms`);
    await systemClock.sleep(waitMs);
  }
}

/** All of them or none. */
function keep(files: EndpointAnswer['files']): void {
  const root = process.cwd();
  for (const { path } of files) refusePlace(root, path);
  for (const file of files) {
    if ('content_base64' in file) writeBelow(root, file.path, Buffer.from(file.content_base64, 'base64'));
    else if (file.content === null) removeBelow(root, file.path);
    else writeBelow(root, file.path, file.content);
  }
}

function whyOf(error: unknown): HttpEvent {
  const message = (error instanceof Error ? error.message : String(error)).slice(0, 4_000);
  if (error instanceof Misplaced) return { event: 'failed', why: 'malformed', message };
  return { event: 'failed', why: error instanceof NoWork ? error.why : 'other', message };
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

process.stdout.write(`${JSON.stringify(await main().catch(whyOf))}\n`);
