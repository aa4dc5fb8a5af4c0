import type { WireTop } from '../../../contract/fleet/top.ts';
import type { World } from '../context.ts';
import { Interrupted } from '../report.ts';
import { pictureLines } from './picture.ts';
import { openFullScreen } from './screen.ts';
import type { Source } from './source.ts';

const usualSize = { columns: 80, rows: 24 };
export const redrawMs = 1_000;
/** An answer that takes longer is worth a word. */
const slowMs = 2_000;
const ctrlC = '\u0003';

/** Draws until q is pressed, and throws Interrupted at Ctrl-C. What stood on the terminal before comes back. */
export async function showLive({ out, input, clock, stopRequested }: World, source: Source, first: WireTop): Promise<void> {
  const ending = new AbortController();
  let isInterrupted = false;
  let seen = { top: first, at: clock.mono() };
  const screen = openFullScreen(out);
  const draw = (): void => {
    const silentMs = clock.mono() - seen.at;
    const awayMs = silentMs > slowMs ? silentMs : undefined;
    const { columns, rows } = out.size?.() ?? usualSize;
    // Behind a letter in the last column, what erases the rest of the line would take that letter too.
    const size = { columns: Math.max(1, columns - 1), rows };
    screen.draw(pictureLines({ top: seen.top, server: source.server, awayMs, foot: 'q ends' }, out, size));
  };
  const interrupt = (): void => {
    isInterrupted = true;
    ending.abort();
  };
  const offResize = out.onResize?.(draw);
  const offKeys = input.isTerminal
    ? input.keys?.(keys => {
        if (keys.includes(ctrlC)) interrupt();
        else if (/^q/i.test(keys)) ending.abort();
      })
    : undefined;
  void stopRequested().then(interrupt);
  try {
    draw();
    await Promise.all([look(), redraw()]);
  } catch (error) {
    ending.abort();
    if (!isInterrupted) throw error;
  } finally {
    offKeys?.();
    offResize?.();
    screen.close();
  }
  if (isInterrupted) throw new Interrupted();

  async function look(): Promise<void> {
    while (!ending.signal.aborted) {
      const begun = clock.mono();
      try {
        const got = await source.look(ending.signal);
        if ('top' in got) seen = { top: got.top, at: clock.mono() };
        draw();
      } catch (error) {
        if (!ending.signal.aborted) throw error;
      }
      await clock.sleep(Math.max(0, redrawMs - (clock.mono() - begun)), ending.signal);
    }
  }

  /** While no answer comes the picture says so, and for how long. */
  async function redraw(): Promise<void> {
    for (;;) {
      await clock.sleep(redrawMs, ending.signal);
      if (ending.signal.aborted) return;
      if (clock.mono() - seen.at > slowMs) draw();
    }
  }
}
