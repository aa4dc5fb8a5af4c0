import type { ClarifyOutput, PlanningPhase } from '../../../../../contract/talk/planning.ts';

/** Questions as a person reads them. */
export function questionsText({ understanding, questions }: ClarifyOutput): string {
  const asked = questions.map(({ id, text, options, default: assumed }) => {
    const suggested = options.length === 0 ? [] : [`    Such as: ${options.join('; ')}`];
    return [`${id}  ${text}`, ...suggested, `    Unless you say otherwise: ${assumed}`].join('\n');
  });
  return [...(understanding.trim() === '' ? [] : [understanding.trim()]), ...asked].join('\n\n');
}

/** What the next try is told. */
export function feedbackText(phase: PlanningPhase, findings: readonly string[]): string {
  return [`The output of the phase ${phase} cannot be taken as it is:`, ...findings.map(finding => `- ${finding}`)].join('\n');
}
