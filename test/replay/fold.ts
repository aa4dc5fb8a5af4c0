import { type Machine, move } from '../../src/kernel/machine.ts';
import { machines } from '../../tidy/generate/states.ts';
import { facts, type Kind, silent, type Step, steps } from './steps.ts';

/** An event as the log tells it (`GET /api/events`); what else it says is not needed. */
export interface Told {
  readonly type: string;
  readonly subject: { readonly type: string; readonly id: string };
  readonly payload: Readonly<Record<string, unknown>>;
}

/** What is known of a thing by its events alone: its state, and what else they say. */
export interface Known {
  readonly state: string;
  readonly [fact: string]: unknown;
}

/** By kind and id, in the order in which they were heard of; a spec by the id of its session, which is heard of before it. */
export type Standing = Readonly<Record<Kind, Readonly<Record<string, Known>>>>;

/** What is wrong with a log: which event, the first being 1, and why it cannot be. */
export interface Finding {
  readonly event: number;
  readonly type: string;
  readonly says: string;
}

export interface Replay {
  readonly standing: Standing;
  readonly findings: readonly Finding[];
}

/**
 * What a log comes to. Each event must go along an edge that the machine of its thing has from the state in which the events
 * before it have left that thing; where there is none that is a finding, and the event is believed.
 */
export function fold(log: readonly Told[]): Replay {
  const standing = Object.fromEntries(Object.keys(machines).map(kind => [kind, {}])) as Record<Kind, Record<string, Known>>;
  const findings: Finding[] = [];
  for (const [index, event] of log.entries()) {
    const complain = (says: string) => void findings.push({ event: index + 1, type: event.type, says });
    for (const { kind, id, step, said } of movesOf(event, complain)) {
      const present = standing[kind][id];
      const state = follow({ kind, id, step, said, present }, complain);
      standing[kind][id] = { ...present, state, ...factsOf(kind, event) };
    }
    tellOthers(standing, event);
  }
  return { standing, findings };
}

/** Whether `to` is `from`, or a state that it reaches without a word. */
export function isSilently(kind: Kind, from: string, to: string): boolean {
  return reachedSilently(kind, from).includes(to);
}

type Complain = (says: string) => void;

interface Moved {
  readonly kind: Kind;
  readonly id: string;
  readonly step: Step;
  /** The state in which the event says that its thing is now. */
  readonly said: string | undefined;
}

function movesOf(event: Told, complain: Complain): Moved[] {
  const { type, subject, payload } = event;
  if (!Object.hasOwn(steps, type)) complain('is of no type that is known: it needs an upcaster');
  const step: Step | null | undefined = steps[type as keyof typeof steps];
  const moved = [];
  if (step !== null && step !== undefined) {
    const id = step.of === 'spec' ? String(payload['sessionId']) : subject.id;
    moved.push({ kind: step.of, id, step, said: text(payload['state'] ?? payload['status']) });
  }
  // A spec that is planned has no word of its own before it is there.
  if (type === 'session.planning' && payload['phase'] !== 'CLARIFY')
    moved.push({ kind: 'spec' as const, id: subject.id, step: planning, said: undefined });
  return moved;
}

const planning: Step = { of: 'spec', after: 'draft', verbs: ['plan'], staysIn: ['executing_planning'] };

/** The state of a thing after this event. */
function follow({ kind, id, step, said, present }: Moved & { readonly present: Known | undefined }, complain: Complain): string {
  const from = present?.state ?? step.after;
  if (from === undefined) {
    const [first = ''] = step.begins ?? [];
    if (step.begins === undefined) complain(`the ${kind} ${id} was never heard of before`);
    else if (said !== undefined && !step.begins.includes(said)) complain(`no ${kind} begins as ${said}`);
    return said ?? first;
  }
  // Its status follows its tickets, and goes along no edge.
  if (kind === 'ticket' && present?.['type'] === 'epic') return said ?? from;
  const to = step.verbs === undefined ? (said ?? from) : ledTo(kind, from, step);
  if (to === undefined || (step.verbs === undefined && !isSilently(kind, from, to))) {
    const how = step.verbs === undefined ? `no silent way to ${to}` : `no edge '${step.verbs.join("' or '")}'`;
    complain(`the ${kind} ${id} is ${from}, from where its machine has ${how}`);
  } else if (said !== undefined && said !== to) {
    complain(`says that the ${kind} ${id} is ${said}, and its machine leads to ${to}`);
  }
  return said ?? to ?? move<string, string>(machines[kind].machine, step.verbs?.[0] ?? '').to;
}

function ledTo(kind: Kind, from: string, { verbs = [], staysIn = [] }: Step): string | undefined {
  if (staysIn.includes(from)) return from;
  const machine: Machine<string, string> = machines[kind].machine;
  const ways = reachedSilently(kind, from).flatMap(state => verbs.map(verb => machine[state]?.[verb]));
  return ways.find(state => state !== undefined);
}

function reachedSilently(kind: Kind, from: string): string[] {
  const machine: Machine<string, string> = machines[kind].machine;
  const next = (silent[kind] ?? []).map(verb => machine[from]?.[verb]).filter(state => state !== undefined);
  return [from, ...next];
}

function factsOf(kind: Kind, { subject, payload }: Told): Readonly<Record<string, unknown>> {
  const told = Object.entries(facts[kind]).filter(([, field]) => payload[field] !== undefined);
  const said = Object.fromEntries(told.map(([fact, field]) => [fact, payload[field]]));
  return kind === 'spec' && subject.type === 'spec' ? { ...said, id: subject.id } : said;
}

/** What an event about one thing says of another. */
function tellOthers(standing: Record<Kind, Record<string, Known>>, { type, subject, payload }: Told): void {
  const add = (kind: Kind, id: string, more: Readonly<Record<string, unknown>>) => {
    const known = standing[kind][id];
    if (known !== undefined) standing[kind][id] = { ...known, ...more };
  };
  if (type === 'trunk.ready') add('trunk', subject.id, { head: payload['base'], merges: 0 });
  if (type !== 'change.merged') return;
  const trunkId = String(payload['trunkId']);
  const merges = Number(standing.trunk[trunkId]?.['merges']) + 1;
  add('trunk', trunkId, { head: payload['commit'], merges });
  add('ticket', String(payload['ticketId']), { proof: payload['proof'] });
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
