import type { SpecPlan } from '../../../../contract/talk/planning.ts';
import type { WireSpec } from '../../../../contract/sessions.ts';
import type { Output } from '../../context.ts';
import { printable, styled } from '../../output/text.ts';
import { recordedNote } from '../recorded.ts';

/** What a person approves: what is asked for, how it is seen that it is met, and how it is to be made. The tickets are the plan's. */
export function specText({ name, plan }: WireSpec, out: Output, model: string | undefined): string {
  const title = `${styled(out, 'bold', printable(name))}${recordedNote(model)}`;
  if (plan === null) return title;
  return [
    title,
    ...paragraph(plan.summary),
    ...section(out, 'Requirements', plan.requirements.flatMap(requirementLines)),
    ...section(
      out,
      'For all of it',
      plan.technical_requirements.map(text => `- ${printable(text)}`),
    ),
    ...section(out, 'Design', designLines(plan)),
  ].join('\n');
}

/** The same for programs. */
export function specDocument(sessionId: string, { id, version, name, plan }: WireSpec): object {
  return { event: 'spec', session_id: sessionId, spec_id: id, version, name, ...plan };
}

function requirementLines({ id, statement, criteria }: SpecPlan['requirements'][number]): readonly string[] {
  return [`${id.padEnd(4)} ${printable(statement)}`, ...criteria.map(text => `       - ${printable(text)}`)];
}

function designLines({ design }: SpecPlan): readonly string[] {
  if (design === null) return [];
  return [
    ...paragraph(design.overview),
    ...design.decisions.map(({ decision, reason }) => `- ${printable(decision)} (${printable(reason)})`),
    ...design.risks.map(risk => `- risk: ${printable(risk)}`),
  ];
}

function paragraph(text: string): readonly string[] {
  return printable(text, { keepNewlines: true }).split('\n');
}

function section(out: Output, title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : ['', styled(out, 'bold', title), ...lines.map(line => `  ${line}`)];
}
