import { systemClock } from '../../kernel/clock.ts';
import type { Answer } from './call.ts';
import { NoWork, passing, words } from './judge.ts';

/** Between two looks, each twice as long as the one before, where the endpoint does not say itself when to come again. */
const waits = { firstMs: 1_000, longestMs: 15_000 };
/** No longer at its word: who does nothing for ten minutes is held to be stuck. */
const namedMsMax = 300_000;
/** In a row, some two minutes: so long a service may be away while it is started again. */
const failuresMax = 10;

interface Following {
  /** Of the project. */
  readonly url: URL;
  /** Throws NoWork `away` where there is no answer. */
  ask(place: URL): Promise<Answer>;
  say(line: string): void;
  /** Called when the endpoint has said where its work is. */
  onPlace(place: URL): void;
}

/** The answer after 202: the endpoint is at work, and is asked where it says until it has done it. Throws NoWork. */
export async function follow(begun: Answer, { url, ask, say, onPlace }: Following): Promise<Answer> {
  let answer = begun;
  let place: URL | undefined;
  let told = '';
  for (let looks = 0; answer.status === 202; looks += 1) {
    place = placeIn(answer, place ?? url) ?? place;
    if (place === undefined)
      throw new NoWork('malformed', 'it answers 202 without a Location, where its work could be asked for');
    const at = place;
    onPlace(at);
    const news = `it is at work, and is asked at ${at.pathname} ${words(answer.body)}`.trim();
    if (news !== told) say(news);
    told = news;
    await systemClock.sleep(waitMs(answer, looks));
    answer = await patiently(() => ask(at), say);
  }
  if (answer.isProxys || (answer.status !== 404 && answer.status !== 410)) return answer;
  throw new NoWork('gave_up', `it knows nothing of its work any more: it answers ${answer.status} ${words(answer.body)}`.trim());
}

/** To look twice does no harm: what may be otherwise soon, and a connection that breaks off, is not the end. */
async function patiently(ask: () => Promise<Answer>, say: Following['say']): Promise<Answer> {
  for (let failures = 1; ; failures += 1) {
    const isLast = failures > failuresMax;
    const answer = await ask().catch((error: unknown) => {
      if (isLast || !(error instanceof NoWork) || error.why !== 'away') throw error;
      return error;
    });
    if (!(answer instanceof NoWork) && (isLast || !passing.has(answer.status))) return answer;
    say(`${troubleOf(answer)}; asking again`);
    await systemClock.sleep(waitMs(answer instanceof NoWork ? undefined : answer, failures - 1));
  }
}

function troubleOf(answer: Answer | NoWork): string {
  if (answer instanceof NoWork) return answer.message;
  return answer.isProxys ? words(answer.body) : `it answers ${answer.status}`;
}

/** `times`: so often it was waited for before. */
export function waitMs(answer: Answer | undefined, times: number): number {
  const usualMs = Math.min(waits.longestMs, waits.firstMs * 2 ** Math.min(times, 10));
  const said = answer?.headers['retry-after']?.trim() ?? '';
  const named = /^\d+$/.test(said) ? Number(said) * 1_000 : Date.parse(said) - systemClock.now();
  return Number.isFinite(named) ? Math.min(namedMsMax, Math.max(waits.firstMs, named)) : usualMs;
}

/**
 * Where it is to be asked; undefined where it does not say. Of what it says the path is taken and nothing else, so that no answer leads
 * elsewhere: with a credential of the worker it may name itself by https://, though it is asked by http://.
 */
function placeIn({ headers: { location } }: Answer, asked: URL): URL | undefined {
  if (location === undefined) return undefined;
  const place = new URL(asked);
  let said: URL;
  try {
    said = new URL(location, asked);
  } catch {
    throw new NoWork('malformed', `it answers 202 with a Location that is no address: ${location.slice(0, 500)}`);
  }
  if (said.host !== asked.host || !/^https?:$/.test(said.protocol))
    throw new NoWork(
      'refused',
      `it answers 202 and leads to ${location.slice(0, 500)}; its work is asked for at ${asked.host} alone`,
    );
  [place.pathname, place.search] = [said.pathname, said.search];
  return place;
}
