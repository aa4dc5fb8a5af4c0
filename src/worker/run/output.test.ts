import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../../test/harness/worker.ts';
import { logChunkBytesMax } from '../../../contract/runs.ts';
import { systemClock } from '../../kernel/clock.ts';
import { Fault } from '../../kernel/fault.ts';
import { silentLog } from '../../kernel/log.ts';
import type { Protocol } from '../client.ts';
import type { Lease } from '../lease.ts';
import { maskOfAll } from '../egress/plain/mask.ts';
import { createOutput } from './output.ts';
import type { OutputOptions } from './output.ts';

const key = { runId: 'r', token: 't' };
const lease = {
  signal: new AbortController().signal,
  send: (work: (held: typeof key, call: object) => Promise<unknown>) => work(key, {}),
} as unknown as Lease;

function outputTo(append: Protocol['appendLog'], isLines: boolean, more: Partial<OutputOptions> = {}) {
  const place = { folder: temporaryFolder(), clock: systemClock, log: silentLog };
  return createOutput({ ...place, lease, append, isLines, at: 0, bytesMax: 16 * 1_048_576, ...more });
}

/** A server that takes chunks as the protocol says. */
function taking() {
  const chunks: string[] = [];
  let size = 0;
  const append: Protocol['appendLog'] = async (_key, { offset, bytes }) => {
    if (offset !== size) throw new Fault('log_gap', { facts: { size } });
    chunks.push(Buffer.from(bytes).toString());
    return (size += bytes.length);
  };
  const forget = (): void => {
    chunks.length = 0;
    size = 0;
  };
  return { chunks, append, forget };
}

describe('the way of an output to the server', () => {
  it.each([true, false])('brings all of it, in chunks that are not too large; of lines (%s) each whole', async isLines => {
    const { chunks, append } = taking();
    const output = outputTo(append, isLines);
    const lines = Array.from({ length: 300 }, (_, i) => `${String(i).padStart(9_999, '.')}\n`);
    for (const line of lines) output.write(Buffer.from(line));
    await output.end();
    expect(chunks.join('')).toBe(lines.join(''));
    expect(Math.max(...chunks.map(chunk => chunk.length))).toBeLessThanOrEqual(logChunkBytesMax);
    expect(chunks.every(chunk => chunk.endsWith('\n'))).toBe(isLines);
  });

  it('goes on where the server is, that has less than it said, and gives up what it refuses', async () => {
    const { chunks, append, forget } = taking();
    const output = outputTo(append, true);
    output.write(Buffer.from('one\n'));
    await expect.poll(() => chunks.length).toBe(1);
    forget();
    output.write(Buffer.from('two\n'));
    await output.end();
    expect(chunks.join('')).toBe('one\ntwo\n');

    const refused = outputTo(() => Promise.reject(new Fault('route_not_found')), true);
    refused.write(Buffer.from('one\n'));
    await refused.end();
    expect(refused.logged()).toBe(0);
  });

  it('never has a secret, also in two chunks and sent again, and as many bytes as were printed', async () => {
    const { chunks, append, forget } = taking();
    const heard: string[] = [];
    const veil = maskOfAll(['the-secret']).open;
    const output = outputTo(append, false, { veil, onOutput: chunk => void heard.push(chunk.toString()), bytesMax: 34 });
    output.write(Buffer.from('one the-sec'));
    await expect.poll(() => chunks).toEqual(['one ']);
    forget();
    output.write(Buffer.from('ret two\nthe-'));
    expect(output.tail().toString()).toBe('one ********** two\nthe-');
    output.begin(8);
    for (const letter of 'the-secret and more') output.write(Buffer.from(letter));
    expect(output.tail().toString()).toBe('and more');
    await output.end();
    const all = 'one ********** two\nthe-********** and more';
    expect([chunks.join(''), heard.join('')]).toEqual([all.slice(0, 34), all]);
    expect(output.logged()).toBe(34);
  });

  it('has none whose pieces come with something of the other stream in between', async () => {
    const { chunks, append } = taking();
    const output = outputTo(append, false, { veil: maskOfAll(['the-secret']).open });
    output.write(Buffer.from('one the-sec'), 'stdout');
    output.write(Buffer.from('two the-'), 'stderr');
    output.write(Buffer.from('ret three the-'), 'stdout');
    output.write(Buffer.from('secret four the-s'), 'stderr');
    await output.end();
    expect(chunks.join('')).toBe('one two ********** three ********** four the-the-s');
  });
});
