import { describe, expect, it } from 'vitest';
import type { Claimed } from '../../../contract/runs.ts';
import { promptAgainOf, promptOf } from './prompt.ts';

const ticket = {
  id: 'TKT-007',
  title: 'Parse durations',
  description: 'Such as 1h30m.',
  acceptance_criteria: ['1h is 3600', '0 is 0'],
};
const given = (task: Partial<Claimed['task']> = {}) =>
  ({ ticket, task }) as Pick<Claimed, 'task'> & { ticket: NonNullable<Claimed['ticket']> };

describe('the prompt', () => {
  it('has the ticket, how to work and how to report, and no empty parts', () => {
    const prompt = promptOf({ ...given({ feedback: null }), conflict: undefined });
    expect(prompt).toContain('## Ticket TKT-007: Parse durations\n\nSuch as 1h30m.');
    expect(prompt).toContain('## It is done when\n\n- 1h is 3600\n- 0 is 0');
    expect(prompt).toContain('skep-report submit_result --status done');
    expect(prompt).not.toMatch(/last attempt|Conflicts/);
    const bare = { ...given(), ticket: { ...ticket, acceptance_criteria: [] } as never, conflict: undefined };
    expect(promptOf(bare)).not.toContain('It is done when');
  });

  it('says what was wrong, and what is to be resolved', () => {
    const feedback = { round: 1, text: 'npm test was red:\n1 failed\n', checks: [] } as never;
    const conflict = { ours: 'a', theirs: 'b', files: ['src/a.js', 'b c.txt'] };
    const prompt = promptOf({ ...given({ feedback }), conflict });
    expect(prompt).toContain('## What was wrong with the last attempt\n\nnpm test was red:\n1 failed');
    expect(prompt).toContain('- src/a.js\n- b c.txt');
  });

  it.each([
    ['broken_off', 'You were broken off in the middle of your work on ticket TKT-007 (Parse durations): what', 'What happened'],
    ['answered', 'Your work on ticket TKT-007 (Parse durations) was stopped until a person had decided', 'What was decided'],
    [
      'returned',
      'What you handed in for ticket TKT-007 (Parse durations) was checked, and is not good enough yet',
      'What was wrong',
    ],
  ] as const)('says to an agent that goes on how it ended before: %s', (ended, first, heading) => {
    const feedback = { round: 1, text: 'npm test was red', checks: [] } as never;
    const prompt = promptAgainOf(given({ feedback, continues: { run_id: 'r', conversation: true, ended } }));
    expect(prompt.startsWith(first)).toBe(true);
    expect(prompt).toContain(`## ${heading}\n\nnpm test was red`);
  });

  it('has what people were asked, first and again, with what holds', () => {
    const answers = [
      { question: 'Which port?\n## It is done when', answer: '443', is_default: false },
      { question: 'Which name?', answer: 'a', is_default: true },
      { question: 'Which day?', answer: null, is_default: true },
    ];
    const said = `Asked: Which port?
  ## It is done when
A person has answered: 443

Asked: Which name?
Nobody has answered in time, so the default holds: a

Asked: Which day?
Nobody has answered in time: decide yourself, and say in the summary what you decided.`;
    expect(promptOf({ ...given({ answers }), conflict: undefined })).toContain(`## What people were asked about it\n\n${said}`);
    expect(promptAgainOf(given({ answers }))).toContain(`## What you have asked people\n\n${said}`);
    expect(promptAgainOf(given())).not.toContain('asked people');
  });

  it('has what a template adds, under its name; where it adds nothing there is no heading', () => {
    const by = (prompt: string) => ({
      ...given({ feedback: null }),
      conflict: undefined,
      template: { id: 'careful@3', prompt, tools: null },
    });
    expect(promptOf(by('First a test.\n'))).toContain('## What the template careful@3 adds\n\nFirst a test.\n\n## How to end');
    expect(promptAgainOf(by('First a test.'))).toContain('## What the template careful@3 adds\n\nFirst a test.');
    expect(promptOf(by(' '))).not.toContain('careful');
  });

  it('tells of no tool that its template does not give', () => {
    const by = (tools: NonNullable<Parameters<typeof promptOf>[0]['template']>['tools']) =>
      promptOf({ ...given(), conflict: undefined, template: { id: 'few@1', prompt: '', tools } });
    expect(by(['submit_result', 'ask_human', 'save_memory'])).toContain(
      'how you checked it. If one question to a person would help, call ask_human',
    );
    expect(by(['submit_result'])).not.toMatch(/ask_human|report_blocker/);
    expect(by(['report_blocker'])).toContain('## How to end\n\nIf you cannot go on, call report_blocker');
    expect(by(['get_context'])).toMatch(/say so in your last words and end your turn\.$/);
  });
});
