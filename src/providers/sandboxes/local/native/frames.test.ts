import { expect, it } from 'vitest';
import { isFault } from '../../../../kernel/fault.ts';
import { createReader, frame, large, list, number, readReport, text } from './frames.ts';
import type { Heard } from './frames.ts';

const heardOf = (chunks: readonly Buffer[]): Heard[] => {
  const seen: Heard[] = [];
  const read = createReader(each => seen.push(each));
  for (const chunk of chunks) read(chunk);
  return seen;
};

it('reads frames in whatever pieces they come', () => {
  const bytes = Buffer.concat([frame(3, 7, [number(1)]), frame(6, 8, [number(2), number(3)]), frame(7, 9)]);
  const whole = heardOf([bytes]);
  expect(whole.map(({ kind, id, body }) => [kind, id, body.length])).toEqual([
    [3, 7, 4],
    [6, 8, 8],
    [7, 9, 0],
  ]);
  expect(heardOf([...bytes].map(byte => Buffer.from([byte])))).toEqual(whole);
});

it.each([0, 7, 125, 2 ** 31])('refuses a frame of %i bytes', length => {
  expect(() => heardOf([Buffer.concat([number(length), Buffer.alloc(60)])])).toThrow('says a frame of');
});

it('writes texts that end with a NUL and hold none, numbers of 32 and of 64 bits, and lists', () => {
  expect(text('é')).toEqual(Buffer.from([3, 0, 0, 0, 0xc3, 0xa9, 0]));
  expect(list([text(''), number(5)])).toEqual(Buffer.from([2, 0, 0, 0, 1, 0, 0, 0, 0, 5, 0, 0, 0]));
  expect(large(2 ** 40 + 1)).toEqual(Buffer.from([1, 0, 0, 0, 0, 1, 0, 0]));
  expect(() => text('a\0b')).toThrow(expect.toSatisfy(error => isFault(error, 'invalid_request')));
});

it('refuses what is larger than the other end takes', () => {
  const most = Buffer.alloc(7 * 2 ** 20);
  expect(frame(4, 1, [most]).readUInt32LE(0)).toBe(8 + most.length);
  expect(() => frame(4, 1, [most, Buffer.alloc(1)])).toThrow(expect.toSatisfy(error => isFault(error, 'too_large')));
});

it('reads what a process said of its set-up', () => {
  const body = Buffer.concat([number(2), number(13), Buffer.from('mount\0rest of the memory')]);
  expect(readReport(body)).toEqual({ stage: 2, errno: 13, step: 'mount' });
});
