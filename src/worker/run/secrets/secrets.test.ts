import { describe, expect, it } from 'vitest';
import type { Claimed } from '../../../../contract/runs.ts';
import type { SessionUpdate } from '../../agent.ts';
import type { Credential } from '../../egress/credentials.ts';
import { formsOf } from './forms.ts';
import { secretsOf } from './index.ts';

const key = 'Bearer k3y-of-the-"operator"';
const token = 'skeprun_abc_9-of-a-run';
const credential: Credential = { hosts: ['a.test'], header: 'authorization', value: key };
const claimed = { gateway: { token }, lease: { token: 'lease-abc' }, subject: { type: 'ticket' } } as Claimed;
const toolsWith = (value: string) => ({
  network: { credentials: new Map([['it', { ...credential, value }]]), ownPorts: () => [] },
});
const secrets = secretsOf({ claimed, tools: toolsWith(key) });

const call = (input: unknown): SessionUpdate => ({
  ...{ sessionUpdate: 'tool_call', toolCallId: 'c', kind: 'other', title: 'ask', input },
});
const result = (output: string): SessionUpdate => ({
  ...{ sessionUpdate: 'tool_call_update', toolCallId: 'c', status: 'completed', output },
});

describe('secrets', () => {
  it('are taken out of whatever an agent tells, also deep in what a tool was given', () => {
    const input = { command: 'env', deep: [{ [token]: `x ${token} lease-abc ${key} y` }] };
    const says: SessionUpdate = { sessionUpdate: 'agent_message_chunk', text: key };
    const text = JSON.stringify([call(input), result(`TOKEN=${token}\n${key}`), says].map(secrets.outOf));
    expect(text).not.toMatch(/skeprun_|lease-abc|k3y|operator/);
    expect(text).toContain('TOKEN=[run token]\\n****');
    expect(text).toContain('[lease token]');
  });

  it('are taken out of a result, a failure and an event', () => {
    const output_tail = `x ${token}`;
    const told = {
      ...{ summary: `did ${token}`, message: key, stop_reason: token, host: `${token}.example.org` },
      ...{ checks: [{ name: 'test', outcome: 'exited', output_tail }], output: { tickets: [{ title: token }] } },
    };
    expect(secrets.outOf(told)).toEqual({
      ...{ summary: 'did [run token]', message: '*'.repeat(key.length), stop_reason: '[run token]' },
      ...{ host: '[run token].example.org', checks: [{ name: 'test', outcome: 'exited', output_tail: 'x [run token]' }] },
      output: { tickets: [{ title: '[run token]' }] },
    });
  });

  it('are found where something stands in them that is not stored', () => {
    expect(secrets.text(`a \0${token.slice(0, 9)}\0${token.slice(9)}\0 b`)).toBe('a [run token] b');
    expect(secrets.outOf(result(`${key.slice(0, 12)}\0${key.slice(12)}`))).toMatchObject({ output: '*'.repeat(key.length) });
  });

  it('of a plan are the tokens alone: its planner reaches no network, and a key may be a word', () => {
    const basic = toolsWith(`Basic ${Buffer.from('ci:jenkins').toString('base64')}`);
    const planned = { summary: 'design planned', output: { title: 'Move from jenkins', notes: token } };
    const planning = secretsOf({ claimed: { ...claimed, subject: { type: 'spec_phase', id: 's' } }, tools: basic });
    expect(planning.outOf(planned)).toEqual({ ...planned, output: { title: 'Move from jenkins', notes: '[run token]' } });
    expect(secretsOf({ claimed, tools: basic }).text('Move from jenkins')).toBe('Move from *******');
  });

  it('stay what they are where they are none, however deep', () => {
    const told = call({ n: 1, yes: true, none: null, list: ['a'] });
    expect(secrets.outOf(told)).toEqual(told);
    // A key that is a word of ours.
    const odd = secretsOf({ claimed, tools: toolsWith('completed') });
    expect(odd.outOf(result('completed'))).toMatchObject({ status: 'completed', output: '*********' });
    let deep: unknown = token;
    for (let i = 0; i < 10_000; i++) deep = [deep];
    expect(JSON.stringify(secrets.outOf(call(deep)))).not.toContain(token);
  });

  it.each([
    ['hex', (text: string) => Buffer.from(text).toString('hex')],
    ['HEX', (text: string) => Buffer.from(text).toString('hex').toUpperCase()],
    ['base64', (text: string) => Buffer.from(text).toString('base64')],
    ['base64 of URLs', (text: string) => Buffer.from(text).toString('base64url')],
    ['small letters', (text: string) => text.toLowerCase()],
  ])('are found in %s, whatever stands around them', (_, encode) => {
    // A token for which base64 and that of URLs differ, wherever it begins.
    const odd = 'skeprun_~~~???~~~???>>>???';
    const found = secretsOf({ claimed: { ...claimed, gateway: { token: odd } }, tools: {} });
    for (const before of ['', 'a', 'ab', 'abc=']) {
      const text = encode(`${before}${odd}\nmore`);
      expect(found.text(text)).toContain('[run token]');
      const veil = found.veil();
      const shown = Buffer.concat([...text.split('').map(letter => veil.pass(Buffer.from(letter))), veil.rest()]).toString();
      expect(shown.length).toBe(text.length);
      expect(formsOf(odd).filter(form => shown.includes(form))).toEqual([]);
      expect(/\*+/.exec(shown)?.[0].length).toBeGreaterThan(odd.length - 1);
    }
  });
});
