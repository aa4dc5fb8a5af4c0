import { mkdirSync, mkdtempSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { skep } from '../../../test/harness/cli.ts';

const folder = mkdtempSync(join(tmpdir(), 'skep-card-'));
const id = '11111111-2222-4333-8444-555555555555';
/** Port 9 is nobody's: whatever is refused here was refused before anything was sent. */
const env = { SKEP_SERVER: 'http://127.0.0.1:9' };

function card(content: string | Uint8Array, name = 'card.json') {
  writeFileSync(join(folder, name), content);
  return skep(['session', 'card', id, name], { cwd: folder, env });
}

describe('a card that is no JSON', () => {
  it('shows the line with a caret below the fault', async () => {
    const { code, err } = await card('{\n  "name": "a",\n  "features": [1,]\n}\n');
    expect(code).toBe(2);
    expect(err).toBe('error: card.json:3:18: a value is expected here\n    "features": [1,]\n                   ^\n');
  });

  it.each([
    ['{"a": 1} // why', 'card.json:1:10: JSON has no comments'],
    ['{"a" 1}', 'card.json:1:6: a colon is expected here'],
    ['{"a": 1', 'card.json:1:8: a closing } is expected here'],
    ["{'a': 1}", 'card.json:1:2: this is no value of JSON'],
    ['{\r\n"a": 1\r\n"b": 2}', 'card.json:3:1: a comma is expected here'],
    ['{"a": "\tb"}', 'card.json:1:7: this character may not stand in a string'],
    [' \n', 'card.json:1:1: it is empty'],
    [Uint8Array.of(0x7b, 0xff), 'card.json is not UTF-8 text'],
  ])('refuses %j', async (content, why) => {
    const { err } = await card(content);
    expect(err).toContain(why);
  });

  it('shows a long line around its fault', async () => {
    const { err } = await card(`{"a": "${'x'.repeat(5_000)}" "b": 1}`);
    const [first = '', line = '', caret = ''] = err.split('\n');
    expect(first).toContain('card.json:1:5010:');
    expect(line.length).toBeLessThan(110);
    expect(line[caret.indexOf('^')]).toBe('"');
  });

  it('tells it as JSON', async () => {
    writeFileSync(join(folder, 'bad.json'), '[1,\n2 3]');
    const { err } = await skep(['session', 'card', id, 'bad.json', '--json'], { cwd: folder, env });
    expect(JSON.parse(err)).toMatchObject({ code: 'invalid_json', line: 2, column: 3 });
  });
});

describe('a card that is wrong', () => {
  it('names each fault by its path', async () => {
    const features = [{ title: 'a' }, { title: 'b' }, { title: '', colour: 1 }];
    const { code, err } = await card(JSON.stringify({ name: 'x', features }));
    expect(code).toBe(2);
    expect(err).toContain('error: card.json is not a valid spec card\n');
    expect(err).toMatch(/^ {2}features\[2\]\.title: \S/m);
    expect(err).toMatch(/^ {2}features\[2\]: \S.*colour/m);
  });

  it('comes from stdin with -', async () => {
    const { err } = await skep(['session', 'card', id, '-'], { env, stdin: '{"name": "x"}' });
    expect(err).toContain('stdin is not a valid spec card\n  features: ');
  });

  it('takes a byte-order mark', async () => {
    const { err } = await card('\ufeff{"name": "x"}');
    expect(err).toContain('card.json is not a valid spec card');
  });
});

describe('a card that cannot be read', () => {
  it('says why', async () => {
    mkdirSync(join(folder, 'sub'));
    const { err: missing } = await skep(['session', 'card', id, 'none.json'], { cwd: folder, env });
    expect(missing).toBe('error: none.json does not exist\n');
    const { err: notFile } = await skep(['session', 'card', id, 'sub'], { cwd: folder, env });
    expect(notFile).toBe('error: sub is not a file\n');
  });

  it('may have eight mebibytes', async () => {
    writeFileSync(join(folder, 'large.json'), '');
    truncateSync(join(folder, 'large.json'), 8 * 1_048_576 + 1);
    const { code, err } = await skep(['session', 'card', id, 'large.json'], { cwd: folder, env });
    expect(code).toBe(2);
    expect(err).toContain('large.json has 8388609 bytes');
  });
});
