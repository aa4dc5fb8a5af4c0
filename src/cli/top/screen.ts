import type { Output } from '../context.ts';

/** The whole of a terminal, whose former content comes back at the end. */
export interface FullScreen {
  draw(lines: readonly string[]): void;
  close(): void;
}

const enter = '\u001b[?1049h\u001b[?25l';
const leave = '\u001b[?25h\u001b[?1049l';
/** Terminals that know these show the whole picture at once; others ignore them. */
const beginUpdate = '\u001b[?2026h';
const endUpdate = '\u001b[?2026l';
const home = '\u001b[H';
const eraseLineEnd = '\u001b[K';
const eraseBelow = '\u001b[J';

export function openFullScreen(out: Output): FullScreen {
  // Also where the process is ended on the spot.
  const onExit = (): void => out.write(leave);
  process.once('exit', onExit);
  out.write(enter);
  return {
    draw(lines) {
      // No newline behind the last line: it would scroll the first one away.
      const content = lines.map(line => `${line}${eraseLineEnd}`).join('\r\n');
      out.write(`${beginUpdate}${home}${content}${eraseBelow}${endUpdate}`);
    },
    close() {
      if (!process.listeners('exit').includes(onExit)) return;
      process.removeListener('exit', onExit);
      out.write(leave);
    },
  };
}
