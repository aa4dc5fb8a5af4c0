/** How the planner ends where it has no answer; the worker tells from it what the failure is. */
export const plannerExits = {
  /** The model is not there, or may not be asked. */
  refused: 70,
  /** No model answered, or the answer broke off. */
  noAnswer: 71,
  /** The model answers, but never in the shape that it must have. */
  noShape: 72,
} as const;
