import { mkdtempSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { removeTree } from '../harness/disks.ts';
import { besideLoopback, startHost } from '../harness/egress.ts';
import { buildSkepOnce, endAll, skep } from '../harness/process.ts';

/** Agents as the guide for their authors shows them, from a ticket to merged work through all of Skep. */
const own = join(import.meta.dirname, '../../demo/own-agent');
/** Longer than a try takes itself before it says why. */
const timeout = 240_000;
const temporary = mkdtempSync(join(tmpdir(), 'skep-tries-'));

beforeAll(buildSkepOnce, timeout);
afterAll(async () => {
  await endAll();
  removeTree(temporary);
});

const begin = (words: readonly string[]) =>
  skep(['agent', 'try', '--json', ...words], { TMPDIR: temporary, SKEP_HOME: join(temporary, 'none') }, ['env', '-C', own]);

async function tried(words: readonly string[]) {
  const trying = begin(words);
  const { code, stderr } = await trying.ended;
  expect(readdirSync(temporary)).toEqual([]);
  const verdict = trying.lines.find(({ event }) => event === 'verdict');
  const output = trying.lines.flatMap(({ event, text: wrote }) => (event === 'output' ? [wrote] : [])).join('');
  const steps = trying.lines.flatMap(({ event, name }) => (event === 'step' ? [name] : []));
  return { code, stderr, verdict, output, steps, begun: trying.lines[0] };
}

describe('skep agent try', () => {
  it.each([
    ['exec', ['exec', '--', './first.sh'], 'goodbye.txt is well'],
    ['exec with a model', ['exec', '--', 'node', 'agent.mjs'], '$ sh check.sh'],
    ['acp', ['acp', '--with', 'agent.mjs', '--', 'node', 'acp.mjs'], 'I run the check.'],
    ['a plain model', ['model'], 'Goodbye, Ada!'],
  ])('%s: from the ticket to merged work', { timeout }, async (_, words, said) => {
    const { code, stderr, verdict, output, steps, begun } = await tried(words);
    expect([code, stderr]).toEqual([0, '']);
    expect(verdict).toMatchObject({ ok: true, files: ['goodbye.txt'], hint: null });
    expect(output).toContain(said);
    expect(begun).toMatchObject({ event: 'try', recorded: true, label: expect.stringContaining('RECORDED') as string });
    expect(steps).toEqual(expect.arrayContaining(['check the base', 'the agent works', 'check the work', 'merge', 'publish']));
  });

  it('an endpoint: from the ticket to merged work', { timeout }, async () => {
    const answer = { status: 'done', summary: 'Said', files: [{ path: 'goodbye.txt', content: 'Goodbye, Ada!\n' }] };
    const endpoint = await startHost(
      (request, response) => void text(request).then(() => response.end(JSON.stringify(answer))),
      undefined,
      besideLoopback,
    );
    try {
      const { code, verdict, begun } = await tried(['http', '--url', `http://${besideLoopback}:${endpoint.port}/`]);
      expect([code, verdict?.['ok'], begun?.['recorded']]).toEqual([0, true, false]);
    } finally {
      endpoint.close();
    }
  });

  it.each([
    ['does nothing', ['exec', '--', 'true'], 'no_changes', 'Its work is what it leaves'],
    ['is not there', ['exec', '--', './nowhere.sh'], 'agent_missing', '--with'],
    ['does other work', ['exec', '--', 'sh', '-c', 'echo x > other.md'], 'there is no goodbye.txt', '$SKEP_TICKET'],
    ['does it wrong', ['exec', '--', 'sh', '-c', 'echo x > goodbye.txt'], 'is red', '$SKEP_FEEDBACK'],
    ['reports a blocker', ['exec', '--', 'skep-report', 'report_blocker', '--reason', 'No way'], 'No way', 'blocker'],
  ])('one that %s is told what helps', { timeout }, async (...[, words, says, hint]) => {
    const { code, verdict } = await tried(words);
    expect(code).toBe(1);
    expect(verdict).toMatchObject({ ok: false, says: expect.stringContaining(says) as string });
    expect(verdict?.['hint']).toContain(hint);
  });

  it('leaves nothing behind where it is interrupted', { timeout }, async () => {
    const trying = begin(['exec', '--', 'sleep', '600']);
    await trying.line(({ event, name }) => event === 'step' && name === 'start agent');
    void trying.kill('SIGINT');
    expect((await trying.ended).code).toBe(130);
    expect(readdirSync(temporary)).toEqual([]);
  });
});
