/**
 * A state machine is data: state → verb → next state. The same states stand in a CHECK of the schema and in
 * docs/states.md; tests compare the three.
 */
export type Machine<State extends string, Verb extends string> = Readonly<Record<State, Readonly<Partial<Record<Verb, State>>>>>;

export interface Move<State extends string> {
  readonly to: State;
  readonly from: readonly State[];
}

/** Where `verb` leads and from which states it is allowed, for the update that applies it. A verb leads to one state only. */
export function move<State extends string, Verb extends string>(machine: Machine<State, Verb>, verb: Verb): Move<State> {
  const from = (Object.keys(machine) as State[]).filter(state => machine[state][verb] !== undefined);
  const targets = new Set(from.map(state => machine[state][verb]));
  const [to] = targets;
  if (to === undefined || targets.size !== 1) throw new Error(`the verb ${verb} must lead to exactly one state`);
  return { to, from };
}

/** A state that nothing leaves. */
export function isFinal<State extends string, Verb extends string>(machine: Machine<State, Verb>, state: State): boolean {
  return Object.keys(machine[state]).length === 0;
}
