import { afterEach, expect, it } from 'vitest';
import { createScreen } from './screen.ts';

let written = '';
let columns = 80;
const out = {
  isTerminal: true,
  hasColour: false,
  write(text: string | Uint8Array): void {
    written += String(text);
  },
};
const screen = createScreen(out, () => ({ columns, rows: 24 }));
/** What was written since the last look. */
const fresh = () => {
  const text = written;
  written = '';
  return text;
};
afterEach(() => {
  screen.clear();
  columns = 80;
  written = '';
});

it('draws over what it has drawn, and hides the cursor once', () => {
  screen.draw(['one', 'two', 'three']);
  expect(fresh()).toBe('\u001b[?25l\u001b[?2026hone\u001b[K\ntwo\u001b[K\nthree\u001b[K\n\u001b[J\u001b[?2026l');
  screen.draw(['one']);
  expect(fresh()).toBe('\u001b[?2026h\u001b[3A\rone\u001b[K\n\u001b[J\u001b[?2026l');
});

it('goes up over the lines that a narrower window has broken', () => {
  screen.draw(['x'.repeat(70), `\u001b[2m${'y'.repeat(30)}\u001b[0m`, '']);
  columns = 40;
  fresh();
  screen.draw([]);
  expect(fresh()).toContain('\u001b[4A\r');
});

it('gives the cursor back, also where the process ends on the spot', () => {
  const before = process.listenerCount('exit');
  screen.draw(['one']);
  expect(process.listenerCount('exit')).toBe(before + 1);
  fresh();
  screen.clear();
  expect(fresh()).toBe('\u001b[1A\r\u001b[J\u001b[?25h');
  expect(process.listenerCount('exit')).toBe(before);
  screen.clear();
  expect(fresh()).toBe('');
});
