/** A template that could be taken, and what is known of the providers of its model. */
export interface Candidate {
  readonly id: string;
  /** Each that its model may be asked of; none: its agent asks no model that Skep knows of. */
  readonly targets: readonly TargetState[];
}

export interface TargetState {
  /** provider/model */
  readonly name: string;
  /** Of its breaker; `due`: open, and it lets one call through to see. */
  readonly breaker: 'closed' | 'open' | 'due';
}

/** Which one is taken. */
export interface Choice {
  readonly id: string;
  /** Where it stands in for the first: why, and whether it is time that one run looks whether the first goes again. */
  readonly standsIn: { readonly why: string; readonly isDue: boolean } | null;
}

/**
 * The first whose model is answered for. A model is not where every provider that may be asked for it has an open breaker. Where that is
 * so of all of them the first is taken: no other is better.
 */
export function choose(first: Candidate, others: readonly Candidate[]): Choice {
  const stand = isDown(first) ? others.find(other => !isDown(other)) : undefined;
  if (stand === undefined) return { id: first.id, standsIn: null };
  const names = first.targets.map(({ name }) => name).join(' and ');
  const isDue = first.targets.some(({ breaker }) => breaker === 'due');
  return {
    id: stand.id,
    standsIn: { why: `${names} ${first.targets.length === 1 ? 'does' : 'do'} not answer: the breaker is open`, isDue },
  };
}

function isDown({ targets }: Candidate): boolean {
  return targets.length > 0 && targets.every(({ breaker }) => breaker !== 'closed');
}
