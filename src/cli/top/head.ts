import { topRowsMax, type WireTop } from '../../../contract/fleet/top.ts';
import { clockText, count } from '../build/view/words.ts';
import type { Output } from '../context.ts';
import { shortId } from '../input/id.ts';
import { printable, styled } from '../output/text.ts';

interface Fact {
  readonly name: string;
  readonly text: string;
  readonly style?: 'red' | 'yellow';
}

const heldBackMax = 4;
const nameWidth = 8;

/** What is not a row: one line for each that there is something to say of. `cut` takes a line to the width of the terminal. */
export function headLines(top: WireTop, out: Output, cut: (text: string) => string): readonly string[] {
  return facts(top).map(({ name, text, style }) => {
    const line = cut(`${name.padEnd(nameWidth)}  ${printable(text)}`);
    if (style !== undefined) return styled(out, style, line);
    return styled(out, 'bold', line.slice(0, nameWidth)) + line.slice(nameWidth);
  });
}

function facts(top: WireTop): readonly Fact[] {
  const now = Date.parse(top.at);
  return [
    ...brakeFacts(top.brake, now),
    { name: 'queue', text: queueText(top.queue) },
    ...heldFacts(top.queue.held_back),
    { name: 'runs', text: runsText(top.runs) },
    { name: 'workers', text: workersText(top.workers) },
    ...(top.servers.length === 0 ? [] : [{ name: 'servers', text: serversText(top.servers, now) }]),
    ...breakerFacts(top.breakers, now),
  ];
}

function brakeFacts({ state, reason, pulled_by, pulled_at, due_at }: WireTop['brake'], now: number): readonly Fact[] {
  if (state === 'off') return [];
  if (state === 'trying')
    return [{ name: 'BRAKE', text: `eased: one run at a time, until one is handed in; it was on: ${reason}`, style: 'yellow' }];
  const since = pulled_at === null ? '' : ` for ${clockText(now - Date.parse(pulled_at))}`;
  const dueMs = due_at === null ? undefined : Date.parse(due_at) - now;
  const again = dueMs === undefined || dueMs > 0 ? `tried again in ${clockText(dueMs ?? 0)}` : 'about to be tried again';
  const next = dueMs === undefined ? 'until skep brake lift' : `${again}, or skep brake lift`;
  const who = pulled_by.replace(uuid, shortId);
  return [{ name: 'BRAKE', text: `on${since}, ${next}; by ${who}: ${reason}`, style: 'red' }];
}

const uuid = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/;

function queueText({ due, later, aged, oldest_ms, waiting, questions }: WireTop['queue']): string {
  const oldest = oldest_ms === null ? '' : ` (the oldest for ${clockText(oldest_ms)})`;
  return [
    `${due} due${oldest}`,
    ...(aged === 0 ? [] : [`${aged} aged`]),
    `${later} later`,
    ...(waiting === 0 ? [] : [`${count(waiting, 'ticket waits', 'tickets wait')} for a person`]),
    ...(questions === 0 ? [] : [count(questions, 'question')]),
  ].join(', ');
}

function heldFacts(held: WireTop['queue']['held_back']): readonly Fact[] {
  const shown = held.slice(0, heldBackMax);
  const rest = held.slice(heldBackMax).reduce((sum, { runs }) => sum + runs, 0);
  const texts = [
    ...shown.map(({ why, runs, detail }) => `${runs} by ${whys[why]}: ${detail}`),
    ...(rest === 0 ? [] : [`${rest} for other reasons`]),
  ];
  return texts.map((text, i) => ({ name: i === 0 ? 'held' : '', text, style: 'yellow' }));
}

function runsText(runs: WireTop['runs']): string {
  if (runs.length === 0) return 'none is held';
  const unwell = runs.filter(({ health }) => health !== 'ok').map(({ health }) => health);
  const held = `${runs.length === topRowsMax ? 'at least ' : ''}${runs.length} held: ${tally(runs.map(({ state }) => state))}`;
  return unwell.length === 0 ? held : `${held}; ${tally(unwell)}`;
}

const whys = { brake: 'the brake', limit: 'a limit', files: 'files', no_worker: 'want of a worker' } as const;

function workersText(workers: WireTop['workers']): string {
  if (workers.length === 0) return 'none has said that it is there';
  const working = workers.filter(({ state }) => state === 'active' || state === 'draining');
  const sum = (of: (worker: (typeof workers)[number]) => number) => working.reduce((total, worker) => total + of(worker), 0);
  return `${tally(workers.map(({ state }) => state))}; ${sum(({ busy }) => busy)} of ${count(
    sum(({ slots }) => slots),
    'slot',
  )} busy`;
}

/** A server that says nothing for longer than three beats is about to be taken for dead. */
const silentMs = 15_000;

function serversText(servers: WireTop['servers'], now: number): string {
  return servers
    .map(({ name, id, state, beat_at }) => {
      const silence = now - Date.parse(beat_at);
      const word = silence > silentMs ? `silent for ${clockText(silence)}` : state;
      return `${name === '' ? id.slice(0, 8) : name} ${word}`;
    })
    .join(', ');
}

function breakerFacts(breakers: WireTop['breakers'], now: number): readonly Fact[] {
  const open = breakers.filter(({ state }) => state !== 'closed');
  if (open.length === 0) return [];
  const texts = open.map(({ provider, model, open_until }) => {
    const until = open_until === null ? 'tried with the next call' : `for ${clockText(Date.parse(open_until) - now)}`;
    return `${provider} ${model} open, ${until}`;
  });
  return [{ name: 'breakers', text: texts.join('; '), style: 'yellow' }];
}

function tally(words: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return [...counts].map(([word, number]) => `${number} ${word}`).join(', ');
}
