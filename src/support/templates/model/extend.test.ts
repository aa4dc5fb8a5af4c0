import { expect, test } from 'vitest';
import { chainMax, extend, nameOf, refuseChain, versionOf, type Whole } from './extend.ts';

const parent: Whole = {
  agent: { kind: 'exec', command: ['a'], model: 'p/m', timeout_ms: 1_000 },
  prompt: 'parent',
  limits: { memory_bytes: 1, cpu_count: 2 },
  fallback: ['other'],
  tools: ['get_context'],
};

test('the child goes over its parent field by field, and what it empties is empty', () => {
  expect(extend({ name: 'c', agent: { model: 'p/n' }, limits: { cpu_count: 1 } }, parent)).toEqual({
    agent: { kind: 'exec', command: ['a'], model: 'p/n', timeout_ms: 1_000 },
    prompt: 'parent',
    limits: { memory_bytes: 1, cpu_count: 1 },
    fallback: ['other'],
    tools: ['get_context'],
  });
  expect(extend({ name: 'c', prompt: '', fallback: [] }, parent)).toMatchObject({
    prompt: '',
    fallback: [],
    agent: parent.agent,
  });
});

test('its tools are those that it names, none or all, else those of its parent', () => {
  const tools = (of?: Parameters<typeof extend>[0]['tools']) => extend({ name: 'c', tools: of }, parent).tools;
  expect([tools(), tools([]), tools(['ask_human']), tools('all')]).toEqual([['get_context'], [], ['ask_human'], null]);
});

test('it does not stand in for itself because it does for its parent', () => {
  expect(extend({ name: 'other' }, { ...parent, fallback: ['other', 'third'] }).fallback).toEqual(['third']);
  // What it says itself is refused where it is checked.
  expect(extend({ name: 'c', fallback: ['c'] }, parent).fallback).toEqual(['c']);
});

test('an agent of another kind begins anew, one of the same kind does not', () => {
  expect(extend({ name: 'c', agent: { kind: 'codex', model: 'o/x' } }, parent).agent).toEqual({ kind: 'codex', model: 'o/x' });
  expect(extend({ name: 'c', agent: { kind: 'exec', model: 'o/x' } }, parent).agent).toEqual({ ...parent.agent, model: 'o/x' });
});

test('without a parent it is what it says', () => {
  expect(extend({ name: 'c', agent: { kind: 'pi' } }, undefined)).toEqual({
    agent: { kind: 'pi' },
    prompt: '',
    limits: {},
    fallback: [],
    tools: null,
  });
});

test('a circle is named, and a chain has an end', () => {
  expect(refuseChain('a', ['b@2', 'c@1'])).toBeUndefined();
  expect(refuseChain('a', ['b@2', 'a@1', 'c@1'])).toBe('the templates extend each other in a circle: a → b → a');
  const below = (count: number) => Array.from({ length: count }, (_, i) => `t${i}@1`);
  expect(refuseChain('a', below(chainMax - 1))).toBeUndefined();
  expect(refuseChain('a', below(chainMax))).toContain('at most 8');
});

test('a reference is a name, with a version where one is meant', () => {
  expect([nameOf('a.b-c@12'), versionOf('a.b-c@12'), nameOf('a'), versionOf('a')]).toEqual(['a.b-c', 12, 'a', undefined]);
});
