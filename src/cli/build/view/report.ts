import type { Clock } from '../../../kernel/clock.ts';
import type { Output } from '../../context.ts';
import { timeLeft } from '../follow/estimate.ts';
import type { News, Reporter } from '../follow/news.ts';
import type { Outputs } from '../follow/outputs.ts';
import type { Build } from '../follow/watch.ts';
import { newsDocument } from './documents.ts';
import { frameLines } from './frame.ts';
import { newsLines } from './lines.ts';
import { createScreen } from './screen.ts';

interface Given {
  readonly out: Output;
  readonly clock: Clock;
  /** When the build began, by `clock.mono`. */
  readonly begun: number;
}

/** One line per event, for a pipe, a log, and whoever prefers it. */
export function linesReporter({ out, clock, begun }: Given): Reporter {
  return {
    tell(news) {
      const lines = newsLines(news, { out, elapsed: clock.mono() - begun });
      if (lines.length > 0) out.write(`${lines.join('\n')}\n`);
    },
    refresh() {},
    pause() {},
  };
}

/** One JSON document per event. */
export function jsonReporter({ out }: Given): Reporter {
  return {
    tell: news => out.write(`${JSON.stringify(newsDocument(news))}\n`),
    refresh() {},
    pause() {},
  };
}

interface Live extends Given {
  readonly build: Build;
  readonly outputs: Outputs;
  readonly foot: string;
}

const usualSize = { columns: 80, rows: 24 };
const redrawMs = 100;

/** A block that is drawn over itself, with the lines above it that one would miss later. */
export function liveReporter(live: Live): Reporter {
  const { out, clock, begun, build, outputs, foot } = live;
  const size = () => out.size?.() ?? usualSize;
  const screen = createScreen(out, size);
  let drawnAt = -Infinity;
  let stage = build.trunk === undefined ? undefined : stageOf({ kind: 'trunk', trunk: build.trunk }, undefined);

  function draw(): void {
    drawnAt = clock.mono();
    const rows = build.board.rows();
    const now = clock.now();
    outputs.watch(rows.flatMap(({ run }) => (run === undefined ? [] : [run.id])).slice(0, size().rows));
    const left = stage === undefined ? timeLeft({ rows, now, width: build.width }) : undefined;
    const scene = {
      name: build.name,
      note: build.note,
      rows,
      stage,
      outputs: outputs.lines,
      now,
      elapsed: drawnAt - begun,
      left,
      foot,
    };
    screen.draw(frameLines(scene, out, size()));
  }

  return {
    tell(news) {
      stage = stageOf(news, stage);
      const lines = staysAbove(news) ? newsLines(news, { out, elapsed: clock.mono() - begun }) : [];
      if (lines.length === 0) return;
      screen.clear();
      out.write(`${lines.join('\n')}\n`);
      draw();
    },
    refresh() {
      if (clock.mono() - drawnAt >= redrawMs) draw();
    },
    pause: () => screen.clear(),
  };
}

/** What scrolls up and can be read afterwards: what went wrong. All else is in the block, and in the summary. */
function staysAbove(news: News): boolean {
  if (news.kind === 'note' || news.kind === 'question') return true;
  if (news.kind === 'change') return news.change.state === 'conflict';
  if (news.kind === 'ticket') return news.row.status === 'failed' || (news.row.status === 'ready' && news.row.reason !== null);
  return news.kind === 'trunk' && news.trunk.publish_error !== null;
}

function stageOf(news: News, before: string | undefined): string | undefined {
  if (news.kind !== 'trunk') return before;
  if (news.trunk.state === 'preparing') return 'looking at the repository';
  if (news.trunk.state === 'checking') return 'checking the base commit, before any agent runs';
  return undefined;
}
