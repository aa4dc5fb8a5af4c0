import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadRecording } from './load.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'skep-recording-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const match = { subject: 'ticket', title: 'Parse durations' };
const sound = { format: 1, name: 'demo', priced_as: 'openai/gpt-5-codex', scenes: [{ match, steps: [{ say: 'Done.' }] }] };
const put = (name: string, content: unknown) => {
  const path = join(folder, name);
  writeFileSync(path, typeof content === 'string' || Buffer.isBuffer(content) ? content : JSON.stringify(content));
  return path;
};
const scene = (step: object, more: object[] = []) => ({ ...sound, scenes: [{ match, steps: [step, ...more] }] });

describe('a recording', () => {
  it('is a file', async () => {
    const recording = await loadRecording(put('a.json', sound));
    expect(recording).toEqual({ name: 'demo', pricedAs: 'openai/gpt-5-codex', scenes: sound.scenes });
  });

  it('is a folder, its files in the order of their names', async () => {
    put('b.json', { ...sound, name: 'second', scenes: [{ match: { round: 1 }, steps: [{ say: 'b' }] }] });
    put('a.json', sound);
    put('.hidden.json', 'no JSON');
    put('notes.md', 'no JSON');
    const recording = await loadRecording(folder);
    expect(recording.name).toBe('demo');
    expect(recording.scenes.map(({ match }) => match.round)).toEqual([undefined, 1]);
  });

  it.each([
    ['a format of tomorrow', { ...sound, format: 2 }, 'format: must be 1'],
    ['no model for the prices', { ...sound, priced_as: 'gpt-5' }, 'priced_as: must name a model as provider/model'],
    ['an unknown field', scene({ say: 'x', sya: 'y' }), 'scenes[0].steps[0]: Unrecognized key: "sya"'],
    ['an empty step', scene({ expect: 'x' }), 'scenes[0].steps[0]: must hold say, call or object'],
    ['an object with words', scene({ object: {}, say: 'x' }), 'scenes[0].steps[0]: holds an object, which is a whole answer'],
    [
      'two calls at once',
      scene({ call: { shell: 'a', read: { path: 'b' } } }),
      'scenes[0].steps[0].call: must hold exactly one of',
    ],
    ['no call in a call', scene({ call: {} }), 'scenes[0].steps[0].call: must hold exactly one of'],
    [
      'a bad pattern',
      scene({ say: 'x', expect: { matches: '(' } }),
      'scenes[0].steps[0].expect.matches: is not a regular expression',
    ],
    ['a match of everything', { ...sound, scenes: [{ match: {}, steps: [{ say: 'x' }] }] }, 'match: must hold at least one of'],
    [
      'steps after the end',
      scene({ say: 'Done.' }, [{ say: 'More.' }]),
      'scenes[0].steps[1]: is never reached: step 0 has no call',
    ],
  ])('is refused with %s', async (_what, content, says) => {
    const path = put('a.json', content);
    const refused = loadRecording(path);
    await expect(refused).rejects.toMatchObject({ code: 'invalid_config', message: expect.stringContaining(says) });
    await expect(refused).rejects.toThrow(`${path} is not a valid recording`);
  });

  it('may end in several objects, told apart by what they expect', async () => {
    const path = put('a.json', scene({ call: { shell: 'ls' } }, [{ expect: 'a', object: {} }, { object: { a: 1 } }]));
    expect((await loadRecording(path)).scenes[0]?.steps).toHaveLength(3);
  });

  it('says where a text stops being JSON', async () => {
    await expect(loadRecording(put('a.json', '{\n  "format": 1,\n}'))).rejects.toThrow(
      /a[.]json is not valid JSON: line 3, column 1/,
    );
    await expect(loadRecording(put('b.json', Buffer.from([0x22, 0xff, 0x22])))).rejects.toThrow('b.json is not UTF-8 text');
  });

  it('names what is not there', async () => {
    await expect(loadRecording(join(folder, 'gone'))).rejects.toThrow(/The recording .*gone does not exist/);
    await expect(loadRecording(folder)).rejects.toThrow('there is no file *.json in it');
  });

  it('has one scene for a run, and one price', async () => {
    put('a.json', sound);
    put('b.json', { ...sound, scenes: [{ match: { title: match.title, subject: match.subject }, steps: [{ say: 'x' }] }] });
    await expect(loadRecording(folder)).rejects.toThrow('b.json: scenes[0] matches what a.json: scenes[0] matches already');
    put('b.json', {
      ...sound,
      priced_as: 'anthropic/claude-sonnet-4-5',
      scenes: [{ match: { round: 1 }, steps: [{ say: 'x' }] }],
    });
    await expect(loadRecording(folder)).rejects.toThrow(
      'a.json is priced as openai/gpt-5-codex and b.json as anthropic/claude-sonnet-4-5: give them the same priced_as',
    );
  });

  it('does not take a folder for a file', async () => {
    mkdirSync(join(folder, 'a.json'));
    await expect(loadRecording(folder)).rejects.toThrow('a.json cannot be read (EISDIR)');
  });
});
