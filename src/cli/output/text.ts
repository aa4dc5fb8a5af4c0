import { styleText } from 'node:util';
import type { Output } from '../world.ts';

/**
 * What others wrote (titles, messages of agents) as plain text: control characters would let it steer the terminal, from
 * colours to the clipboard.
 */
export function printable(text: string, { keepNewlines = false } = {}): string {
  const controls = keepNewlines ? /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]+/g : controlCharacters;
  return text.replace(controls, ' ');
}

const controlCharacters = /[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]+/g;

/** The log of an agent for a terminal: colours stay, every other escape sequence goes. */
export function tamedLog(text: string): string {
  return text
    .replace(/\u001b\][^\u0007\u001b]*(\u0007|\u001b\\)?/g, '')
    .replace(/\u001b\[[0-9;:?<=>]*[ -/]*[@-ln-~]/g, '')
    .replace(/\u001b(?!\[[0-9;:]*m)/g, '')
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001a\u001c-\u001f\u007f-\u009f]/g, '');
}

/** A word as a POSIX shell takes it, quoted where it must be; without control characters, which a terminal would obey when pasted. */
export function shellWord(text: string): string {
  const shown = printable(text);
  return /^[A-Za-z0-9_%+=:,./@-]+$/.test(shown) ? shown : `'${shown.replaceAll("'", "'\\''")}'`;
}

type Style = 'red' | 'green' | 'yellow' | 'cyan' | 'bold' | 'dim';

export function styled(output: Output, style: Style, text: string): string {
  return output.hasColour ? styleText(style, text, { validateStream: false }) : text;
}

/** A text in the colour that its state has everywhere; failures stand out. */
export function painted(output: Output, state: string, text = state): string {
  const style = stateStyles[state];
  return style === undefined ? text : styled(output, style, text);
}

const stateStyles: Readonly<Partial<Record<string, Style>>> = {
  failed: 'red',
  lost: 'red',
  blocked: 'dim',
  pending: 'dim',
  cancelled: 'dim',
  revoked: 'dim',
  waiting: 'yellow',
  reviewing: 'yellow',
  ready: 'cyan',
  claimed: 'cyan',
  running: 'cyan',
  working: 'cyan',
  verifying: 'cyan',
  merging: 'cyan',
  building: 'cyan',
  approved: 'green',
  accepted: 'green',
  completed: 'green',
};

/** Terminal columns that a text takes; East Asian letters and emoji take two. */
export function width(text: string): number {
  if (plain.test(text)) return text.length;
  let columns = 0;
  for (const { segment } of graphemes.segment(text)) columns += wide.test(segment) ? 2 : 1;
  return columns;
}

export function cut(text: string, columns: number): string {
  if (width(text) <= columns) return text;
  let kept = '';
  let used = 0;
  for (const { segment } of graphemes.segment(text)) {
    used += width(segment);
    if (used > columns - 1) break;
    kept += segment;
  }
  return `${kept}…`;
}

/** One line as several, none wider than `columns`, each broken after a space where one is near. */
export function wrapped(line: string, columns: number): string[] {
  if (width(line) <= columns) return [line];
  const lines: string[] = [];
  let part = '';
  let used = 0;
  for (const { segment } of graphemes.segment(line)) {
    const more = width(segment);
    if (used + more > columns && part !== '') {
      const space = part.lastIndexOf(' ') + 1;
      const end = space > part.length / 2 ? space : part.length;
      lines.push(part.slice(0, end).trimEnd());
      part = part.slice(end);
      used = width(part);
    }
    part += segment;
    used += more;
  }
  return [...lines, part];
}

/** Nearly all there is, and quickly measured. */
const plain = /^[ -~]*$/;

const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });
const wide =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u;
