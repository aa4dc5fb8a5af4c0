import type { Output, Size } from '../../context.ts';
import { width } from '../../output/text.ts';

/** A block of lines at the bottom of a terminal that is drawn over itself; what is printed above it stays. */
export interface Screen {
  draw(lines: readonly string[]): void;
  /** Takes the block away and gives the cursor back, until the next drawing. */
  clear(): void;
}

const hideCursor = '\u001b[?25l';
const showCursor = '\u001b[?25h';
/** Terminals that know these show the whole block at once; others ignore them. */
const beginUpdate = '\u001b[?2026h';
const endUpdate = '\u001b[?2026l';
const eraseLineEnd = '\u001b[K';
const eraseBelow = '\u001b[J';

export function createScreen(out: Output, size: () => Size): Screen {
  let drawn: readonly string[] = [];
  let isHidden = false;

  /** Back to the first line of the block. In a window made narrower meanwhile its lines are broken, and more than they were. */
  function up(): string {
    const { columns } = size();
    const height = drawn.reduce((sum, line) => sum + Math.max(1, Math.ceil(visibleWidth(line) / columns)), 0);
    return height === 0 ? '' : `\u001b[${height}A\r`;
  }

  // Also where the process is ended on the spot.
  const onExit = (): void => out.write(showCursor);

  return {
    draw(lines) {
      if (!isHidden) process.once('exit', onExit);
      const content = lines.map(line => `${line}${eraseLineEnd}\n`).join('');
      out.write(`${isHidden ? '' : hideCursor}${beginUpdate}${up()}${content}${eraseBelow}${endUpdate}`);
      isHidden = true;
      drawn = lines;
    },
    clear() {
      if (drawn.length > 0) out.write(`${up()}${eraseBelow}`);
      if (isHidden) out.write(showCursor);
      process.removeListener('exit', onExit);
      isHidden = false;
      drawn = [];
    },
  };
}

function visibleWidth(line: string): number {
  return width(line.replace(/\u001b\[[0-9;]*m/g, ''));
}
