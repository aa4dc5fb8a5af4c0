import { expect, test } from 'vitest';
import { ownWireOf, wireOfAgent } from '../../../contract/models/catalog.ts';
import { wireOf } from './wire.ts';

test.each([
  ['anthropic/x', 'anthropic'],
  ['claude-opus-5', 'anthropic'],
  ['gemini/x', 'gemini'],
  ['gemini-2.5-pro', 'gemini'],
  ['openai/x', 'responses'],
  ['gpt-5', 'responses'],
  ['o3', 'responses'],
  ['codex-mini', 'responses'],
  ['local/claude-opus-5', 'chat'],
  ['fast', 'chat'],
])('%s is asked for over %s, and the server knows it', (model, wire) => {
  expect(wireOf(model)).toBe(wire);
  for (const kind of ['opencode', 'pi'] as const) expect(wireOfAgent({ kind, model })).toBe(wire);
  // Skep's own programs do not speak Responses, which those who do are asked for by chat completions too.
  expect(ownWireOf(model)).toBe(wire === 'responses' ? 'chat' : wire);
  expect(wireOfAgent({ kind: 'model', model, output: 'a.md' })).toBe(ownWireOf(model));
});
