import type { ClarifyOutput, DesignOutput, RequirementsOutput, TasksOutput } from '../../contract/talk/planning.ts';

// What a planner could hand in, phase by phase: good, and each a value of its own to be spoilt.

export function clarified(...texts: string[]): ClarifyOutput {
  return {
    understanding: 'A list of things to do',
    questions: texts.map((text, i) => ({ id: `Q${i + 1}`, text, options: ['yes', 'no'], default: 'no' })),
  };
}

export function required(count = 2): RequirementsOutput {
  return {
    name: 'Todo list',
    summary: 'Things to do, kept in a file.',
    requirements: Array.from({ length: count }, (_, i) => ({
      id: `R${i + 1}`,
      statement: `WHEN thing ${i + 1} happens, THE SYSTEM SHALL react`,
      criteria: [`it is seen that ${i + 1} works`],
    })),
    technical_requirements: ['no new dependency'],
  };
}

export function designed(): DesignOutput {
  return {
    overview: 'One file, two functions.',
    components: [{ name: 'store', responsibility: 'keeps things', files: ['src/store.js'] }],
    decisions: [{ decision: 'a file', reason: 'it is small' }],
    risks: [],
  };
}

/** A chain: each task depends on the one before it, and serves the requirement of its number. */
export function tasked(count = 2): TasksOutput {
  return {
    tasks: Array.from({ length: count }, (_, i) => ({
      id: `T${i + 1}`,
      title: `Task ${i + 1}`,
      description: `Do ${i + 1}`,
      requirements: [`R${i + 1}`],
      acceptance_criteria: [`${i + 1} is done`],
      depends_on: i === 0 ? [] : [`T${i}`],
      files: ['src/store.js'],
      estimate: 1,
    })),
  };
}
