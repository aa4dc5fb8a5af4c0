import { describe, expect, it } from 'vitest';
import { fetchRequest, packIn } from './packets.ts';

const line = (text: string): string => `${(text.length + 4).toString(16).padStart(4, '0')}${text}`;
const begin = line('packfile\n');

async function* inPieces(text: string, bytes: number): AsyncGenerator<Uint8Array> {
  const all = Buffer.from(text, 'latin1');
  for (let at = 0; at < all.length; at += bytes) yield all.subarray(at, at + bytes);
}

async function read(text: string, bytes = text.length): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of packIn(inPieces(text, bytes))) chunks.push(chunk);
  return Buffer.concat(chunks).toString('latin1');
}

describe('the pack in an answer of git', () => {
  it.each([1, 3, 7, 1_000])('is what stands in its packets of data, however it comes: %i bytes at a time', async bytes => {
    const answer = `${begin}${line('\x02Counting')}${line('\x01PACK\0')}${line('\x01\xff0000')}0000`;
    expect(await read(answer, bytes)).toBe('PACK\0\xff0000');
  });

  it('that tells of more than a pack is not taken', async () => {
    const shallow = `${line('shallow-info\n')}${line(`shallow ${'1'.repeat(40)}`)}0001${begin}${line('\x01PACK')}0000`;
    for (const answer of [shallow, line('ERR upload-pack: not our ref'), '0000', 'nope', '0004', '<html>'])
      await expect(read(answer)).rejects.toThrow('the answer is not a pack alone');
  });

  it('that ends too early, or of which the server says so, is not taken for a whole one', async () => {
    const half = `${begin}${line('\x01PACK')}`;
    for (const answer of ['', begin, half, `${half}00`]) await expect(read(answer)).rejects.toThrow('ended too early');
    await expect(read(`${half}${line('\x03no space')}`)).rejects.toThrow('the server could not make the pack');
  });
});

describe('a fetch in one request', () => {
  it('names what is wanted and what is here', () => {
    const asked = fetchRequest({ wants: ['a'.repeat(40)], haves: ['b'.repeat(40)], objectFormat: 'sha1' });
    expect(asked).toBe(
      [
        ...['0012command=fetch\n', '0017object-format=sha1\n', '0001'],
        ...['000ethin-pack\n', '0010no-progress\n', '000eofs-delta\n'],
        ...[`0032want ${'a'.repeat(40)}\n`, `0032have ${'b'.repeat(40)}\n`, '0009done\n0000'],
      ].join(''),
    );
  });
});
