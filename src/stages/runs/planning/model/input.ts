import { clarifyRoundsMax, type PlanningPhase, type SpecPlan } from '../../../../../contract/talk/planning.ts';
import type { RunPlan } from '../../../../../contract/runs.ts';
import type { SpecCard } from '../../../../../contract/spec-card.ts';

// No interface: what goes into the database as JSON is known by its keys.
type Said = { author: string; text: string };

export interface Known {
  readonly phase: PlanningPhase;
  readonly description: string;
  readonly messages: readonly Readonly<Said>[];
  /** How often a person was asked. */
  readonly rounds: number;
  readonly plan: SpecPlan | null;
  readonly card: SpecCard | null;
  /** How the message begins with which a person rejects a spec. */
  readonly rejectedMark: string;
}

/** What the planner is given for a phase: as much of what is known as the phase needs, bounded. */
export function inputOf({ phase, description, messages, rounds, plan, card, rejectedMark }: Known): RunPlan['input'] {
  const base = { idea: cut(description, ideaLengthMax), conversation: conversationOf(messages) };
  if (phase === 'CLARIFY') return { ...base, rounds_left: clarifyRoundsMax - rounds };
  if (phase === 'REQUIREMENTS') return { ...base, rejected: rejectionOf({ messages, plan, card, rejectedMark }) };
  const asked = { ...base, ...requirementsOf(plan) };
  return phase === 'DESIGN' ? asked : { ...asked, design: plan?.design ?? null };
}

/** Characters. */
const ideaLengthMax = 50_000;
const messageLengthMax = 8_000;
const conversationLengthMax = 60_000;
const titlesMax = 200;

/** The newest messages that fit, in their order. */
function conversationOf(messages: readonly Readonly<Said>[]): Said[] {
  const kept: Said[] = [];
  let length = 0;
  for (const { author, text } of messages.toReversed()) {
    const short = cut(text, messageLengthMax);
    length += short.length;
    if (length > conversationLengthMax) break;
    kept.push({ author, text: short });
  }
  return kept.toReversed();
}

function requirementsOf(plan: SpecPlan | null): RunPlan['input'] {
  return {
    summary: plan?.summary ?? '',
    requirements: plan?.requirements ?? [],
    technical_requirements: plan?.technical_requirements ?? [],
  };
}

/** What was planned before and why a person would not have it; null of the first plan. */
function rejectionOf({
  messages,
  plan,
  card,
  rejectedMark,
}: Pick<Known, 'messages' | 'plan' | 'card' | 'rejectedMark'>): RunPlan['input'] | null {
  const last = messages.findLast(({ author, text }) => author === 'person' && text.startsWith(rejectedMark));
  if (last === undefined || card === null) return null;
  return {
    reason: cut(last.text.slice(rejectedMark.length), messageLengthMax),
    requirements: (plan?.requirements ?? []).map(({ id, statement }) => ({ id, statement })),
    tasks: card.features.slice(0, titlesMax).map(({ title }) => title),
  };
}

function cut(text: string, lengthMax: number): string {
  if (text.length <= lengthMax) return text;
  // Half a character is no JSON that the database takes.
  return `${text.slice(0, lengthMax).replace(/[\ud800-\udbff]$/, '')} […]`;
}
