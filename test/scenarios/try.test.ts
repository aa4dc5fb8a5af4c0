import { chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loopsOf, mountsIn, removeTree } from '../harness/disks.ts';
import { besideLoopback, startHost } from '../harness/egress.ts';
import { isRoot, nobody } from '../harness/embedded.ts';
import { buildSkepOnce, endAll, processesWith, processState, skep, until } from '../harness/process.ts';
import type { SkepProcess } from '../harness/process.ts';

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

  it('leaves nothing behind that the next does not remove, wherever it is broken off', { timeout: 2 * timeout }, async () => {
    const sleeps = ['exec', '--', 'sleep', '600'];
    const inFolder = (path: string) => () => readdirSync(temporary).find(name => existsSync(join(temporary, name, path)));
    const isWorking = (trying: SkepProcess) => trying.lines.some(({ event, name }) => event === 'step' && name === 'start agent');
    const data = 'home/postgres/data/postmaster.pid';
    let told = '';
    for (const [what, signal, isThere] of [
      ['its database is being made', 'SIGKILL', inFolder('home/postgres/password')],
      ['its database starts', 'SIGKILL', inFolder(data)],
      ['its database has started, and nobody wants to wait', 'SIGINT', inFolder(data)],
      ['an agent works', 'SIGKILL', isWorking],
    ] as const) {
      const trying = begin(sleeps);
      const isCleared = () => trying.stderr() === told && readdirSync(temporary).length === 1;
      await until(what, () => (isCleared() && isThere(trying)) || undefined, timeout);
      // Again and again: with the second SIGINT that it hears it ends at once.
      await until('its end', () => {
        void trying.kill(signal);
        return ['Z', undefined].includes(processState(trying.pid)) || undefined;
      });
      await trying.ended;
      const [left, ...others] = readdirSync(temporary);
      expect([left, others]).toEqual([expect.stringContaining(`-${trying.pid}.`), []]);
      told = `Removed what a try that was broken off had left in ${join(temporary, left ?? '')}\n`;
    }
    const { code, stderr } = await tried(['exec', '--', './first.sh']);
    expect([code, stderr]).toEqual([0, told]);
    await expect.poll(() => [mountsIn(temporary), loopsOf(temporary), processesWith(temporary)]).toEqual([[], [], []]);
  });

  it('does not touch what another that goes on has made, or another user', { timeout }, async () => {
    const foreign = join(temporary, 'skep-try-1.1.1.00000000-abcdef');
    if (isRoot) mkdirSync(foreign);
    if (isRoot) chownSync(foreign, nobody, nobody);
    const other = begin(['exec', '--', 'sleep', '600']);
    await other.line(({ event, name }) => event === 'step' && name === 'start agent');
    const before = readdirSync(temporary);
    const trying = begin(['exec', '--', 'sleep', '600']);
    await trying.line(({ event }) => event === 'step');
    void trying.kill('SIGINT');
    expect((await trying.ended).stderr).not.toContain('left');
    expect(readdirSync(temporary)).toEqual(before);
    if (isRoot) rmdirSync(foreign);
    void other.kill('SIGINT');
    expect((await other.ended).code).toBe(130);
    expect(readdirSync(temporary)).toEqual([]);
  });

  it('leaves nothing behind where it is interrupted', { timeout }, async () => {
    const trying = begin(['exec', '--', 'sleep', '600']);
    await trying.line(({ event, name }) => event === 'step' && name === 'start agent');
    void trying.kill('SIGINT');
    expect((await trying.ended).code).toBe(130);
    expect(readdirSync(temporary)).toEqual([]);
  });
});
