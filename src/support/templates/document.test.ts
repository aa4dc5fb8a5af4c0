import { describe, expect, test } from 'vitest';
import { isFault } from '../../kernel/fault.ts';
import { readTemplate } from './document.ts';

const read = (source: string) => readTemplate({ file: 't.yaml', source });
function refused(source: string): string[] {
  try {
    read(source);
  } catch (error) {
    if (isFault(error, 'invalid_template')) return error.message.split('\n');
    throw error;
  }
  throw new Error(`it was taken: ${source.slice(0, 100)}`);
}

test('a template is read, and its text is kept as it is', () => {
  const source = '# slow\nname: careful\nagent: { kind: exec, command: [node, agent.js] }\nprompt: |\n  - a [b]\n  c: d\n';
  expect(read(source)).toMatchObject({
    name: 'careful',
    agent: { kind: 'exec', command: ['node', 'agent.js'] },
    prompt: '- a [b]\nc: d\n',
    source,
  });
});

test('a character that is written as its two halves is one', () => {
  expect(read('name: a\nprompt: "\\ud83d\\ude00"\n').prompt).toBe('\u{1f600}');
});

describe('what is wrong is told with its place', () => {
  test.each([
    ['name: a\nagent:\n  kind: codx\n', ['t.yaml:3:3: agent.kind: Invalid option']],
    ['name: a\nagent:\n  timeout_ms: "3"\n', ['t.yaml:3:3: agent.timeout_ms: Invalid input: expected number']],
    [
      'name: a\nlimits: {cpu_count: 1, memory: 3}\n',
      ['t.yaml:2:24: limits.memory: there is no such field; there are memory_bytes'],
    ],
    ['nam: a\n', ['t.yaml:1:1: name: Invalid input', 't.yaml:1:1: nam: there is no such field; there are name, description']],
    ['name: A b\nextends: 7\n', ['t.yaml:1:1: name: a template is named with', 't.yaml:2:1: extends: Invalid input']],
    ['name: a\nfallback: [b, c, b]\n', ['t.yaml:2:1: fallback: each template may stand once']],
    ['name: a\ntools: [ask_human, rm]\n', ['t.yaml:2:1: tools: is all, or a list of get_context, submit_result']],
    ['name: a\ntools: [ask_human, ask_human]\n', ['t.yaml:2:1: tools: is all, or a list of']],
    ['name: a\ntools: none\n', ['t.yaml:2:1: tools: is all, or a list of']],
    ['name: a\nname: b\n', ['t.yaml:2:1: this field stands twice']],
    ['name: a\n\tprompt: b\n', ['t.yaml:2:']],
    ['name: a\n---\nname: b\n', ['t.yaml:2:1: another document begins here']],
    ['name: !!binary aGk=\n', ['t.yaml:1:7: a template has no tags']],
    ['name: !x y\n', ['t.yaml:1:7: a template has no tags']],
    ['? [a]\n: 1\n', ['t.yaml:1:3: the name of a field is a text']],
    ['name: a\nprompt: "\\0"\n', ['t.yaml:2:9: a text may have neither a NUL']],
    ['name: a\nagent: { kind: exec, command: ["x\\ud83d"] }\n', ['t.yaml:2:32: a text may have neither a NUL nor half']],
    ['name: a\nagent: { kind: exec, "\\ude00": 1 }\n', ['t.yaml:2:22: a text may have neither a NUL nor half']],
    ['', ['t.yaml:1:1: a template is fields with values']],
    ['- a\n', ['t.yaml:1:1: a template is fields with values']],
    ['__proto__: 1\nname: a\n', ['t.yaml:1:1: __proto__: there is no such field']],
  ])('%j', (source, says) => {
    const lines = refused(source);
    expect(lines).toHaveLength(says.length);
    for (const [i, text] of says.entries()) expect(lines[i]).toContain(text);
  });

  test('a bomb has nothing to grow by', () => {
    const bomb = ['a: &a [x, x]', 'b: &b [*a, *a]', 'c: [*b, *b]'].join('\n');
    expect(refused(bomb)[0]).toBe('t.yaml:2:8: a template has no aliases: write out what *a stands for');
  });

  test.each(['[', '- ', '? ', '{a: ', 'a, '])('what is nested or long without end (%s) is refused before it is parsed', piece => {
    const source = `name: [${piece.repeat(20_000)}`;
    expect(refused(source)).toEqual(['t.yaml:1:1: more than 2000 names and values: this is no template']);
  });

  test('of very many mistakes some are told', () => {
    expect(refused(Array.from({ length: 100 }, (_, i) => `field${i}: 1`).join('\n'))).toHaveLength(10);
  });
});
