import { text } from 'node:stream/consumers';
import type { EndpointAnswer } from '../../contract/network/endpoint.ts';
import { systemClock } from '../kernel/clock.ts';
import { farewellMs } from '../worker/host/http-turn.ts';
import type { HttpEvent, HttpTurn } from '../worker/host/http-turn.ts';
import { call, TooLarge } from './http/call.ts';
import type { Answer, Call } from './http/call.ts';
import { follow, waitMs } from './http/follow.ts';
import { NoWork, passing, workIn } from './http/judge.ts';
import { Misplaced, refusePlace, removeBelow, writeBelow } from './looking/place.ts';

// An endpoint as an agent: hands it the ticket, through the proxy of the sandbox, and puts what it answers, now or later, into the
// repository in the working directory.

const bytesMax = 33_554_432;
/** So often it is posted, where the last time may have been of no use by chance. */
const postsMax = 3;

/** Takes the work back that an endpoint has begun; undefined where there is none. */
let takeBack: (() => Promise<unknown>) | undefined;
/** Ends when it was told so, or does not answer. */
let takenBack: Promise<unknown> | undefined;
/** What is to be told when there is some, because the time is over. */
let late: HttpEvent | undefined;
/** Whatever it answers now comes too late. */
let isLeaving = false;

async function main(): Promise<HttpEvent> {
  const turn = JSON.parse(await text(process.stdin)) as HttpTurn;
  const url = new URL(turn.url);
  const over = new AbortController();
  void endInTime(turn, over.signal);
  try {
    const { summary, files } = workIn(await answerOf(turn, url), url);
    if (!isLeaving) keep(files);
    return { event: 'done', summary, files: files.length };
  } finally {
    over.abort();
  }
}

async function answerOf({ headers, task }: HttpTurn, url: URL): Promise<Answer> {
  const ask = (method: Call['method'], at: URL) =>
    asked({ method, url: at, headers: { ...headers, accept: 'application/json' } });
  const begun = await posted(url, { ...headers, 'content-type': 'application/json', accept: 'application/json' }, task);
  if (begun.isProxys || begun.status !== 202) return begun;
  const onPlace = (place: URL): void => {
    takeBack = () => ask('DELETE', place);
    if (late !== undefined) void leave(late);
  };
  try {
    const answer = await follow(begun, { url, ask: place => ask('GET', place), say, onPlace });
    // Whatever it says there is the end of its work; anything else is no word of it.
    if (answer.isProxys || answer.status !== 200) await giveBack();
    return answer;
  } catch (error) {
    if (!(error instanceof NoWork) || error.why !== 'gave_up') await giveBack();
    throw error;
  } finally {
    takeBack = undefined;
  }
}

/** The same ticket has the same key, so that who got it twice can know. */
async function posted(url: URL, headers: Call['headers'], body: string): Promise<Answer> {
  for (let times = 1; ; times += 1) {
    say(`posting the ticket to ${url.origin}${url.pathname}`);
    // Where the connection breaks off it may be at work on it: asking again would have it done twice.
    const answer = await asked({ method: 'POST', url, headers, body });
    if (!passing.has(answer.status) || times === postsMax) return answer;
    // 1 s and 4 s, where it does not say.
    const restMs = waitMs(answer, 2 * (times - 1));
    say(`it answers ${answer.status}; trying again in ${restMs} ms`);
    await systemClock.sleep(restMs);
  }
}

function asked(given: Omit<Call, 'proxy' | 'bytesMax'>): Promise<Answer> {
  return call({ ...given, proxy: new URL(process.env['http_proxy'] ?? ''), bytesMax }).catch((error: unknown) => {
    if (error instanceof TooLarge) throw new NoWork('malformed', error.message);
    throw new NoWork('away', `the connection broke off (${error instanceof Error ? error.message : String(error)})`);
  });
}

/** Before the worker ends all: without work that is begun, there is nobody who would have to be told. */
async function endInTime({ timeoutMs, endsAt }: HttpTurn, over: AbortSignal): Promise<void> {
  const leftMs = endsAt - Math.min(timeoutMs / 2, farewellMs) - systemClock.now();
  // A wall clock may jump.
  await systemClock.sleep(Math.min(Math.max(leftMs, 0), timeoutMs), over);
  if (over.aborted) return;
  late = { event: 'failed', why: 'late', message: `it was not done within ${timeoutMs} ms` };
  if (takeBack !== undefined) await leave(late);
}

/** Ends before there is an answer. An endpoint that is at work is told, where that can be, that nobody waits for it any more. */
async function leave(event?: HttpEvent): Promise<void> {
  if (isLeaving) return;
  isLeaving = true;
  await giveBack();
  if (event !== undefined) tell(event);
  process.exit();
}

/** Once, and not for long: its answer changes nothing. */
async function giveBack(): Promise<void> {
  const telling = takeBack;
  takeBack = undefined;
  if (telling !== undefined) {
    say('taking the ticket back');
    takenBack = Promise.race([telling().catch(() => {}), systemClock.sleep(farewellMs / 2)]);
  }
  await takenBack;
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

function tell(event: HttpEvent): void {
  process.stdout.write(`${JSON.stringify(event)}\n`);
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void leave());
const end = await main().catch(whyOf);
if (!isLeaving) {
  tell(end);
  process.exit();
}
