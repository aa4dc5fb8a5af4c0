import type { Clock } from './clock.ts';

interface Batches<Asked, Answer> {
  /** So many are in a batch at most. */
  readonly countMax: number;
  /** So many batches of a key are served at the same time at most: while the database writes one, the next is made. */
  readonly atOnceMax: number;
  /** Where what comes is better served by few batches than soon. */
  readonly gather?: Gather;
  /** An answer to each, in the order in which they are given; one that takes longer than the others may be a promise. */
  readonly serve: (key: string, asked: readonly Asked[]) => Promise<readonly (Answer | Promise<Answer>)[]>;
}

interface Gather {
  readonly clock: Clock;
  /**
   * After a batch the next one begins when a whole one has come, or as much time has passed as that took, at most so many ms: who asks now
   * and then finds nobody before him, and of many who ask all the time more go together.
   */
  readonly restMsMax: number;
  /** Until a batch has been served for so long none begins beside it; then its connection may have fallen silent. */
  readonly besideMs: number;
}

interface Waiting<Asked, Answer> {
  readonly asked: Asked;
  resolve(answer: Answer | Promise<Answer>): void;
  reject(error: unknown): void;
}

interface Line<Asked, Answer> {
  readonly waiting: Waiting<Asked, Answer>[];
  served: number;
  /** Called when a whole batch waits. */
  isFull: () => void;
  /** Nothing begins beside what is served. */
  isHeld: boolean;
}

/**
 * Serves together what is asked for at the same time: of each key a batch or two at once, each of all that came while those before it
 * were served. Who comes alone is served at once. A batch that fails is served one by one: what is wrong with one is told to that one.
 */
export function createBatches<Asked, Answer>({
  countMax,
  atOnceMax,
  gather,
  serve,
}: Batches<Asked, Answer>): (key: string, asked: Asked) => Promise<Answer> {
  const lines = new Map<string, Line<Asked, Answer>>();

  async function work(key: string, line: Line<Asked, Answer>): Promise<void> {
    for (let batch = line.waiting.splice(0, countMax); batch.length > 0; batch = line.waiting.splice(0, countMax))
      await (gather === undefined ? answer(key, batch) : answerAndRest(line, { key, batch }, gather));
    line.served -= 1;
    line.isHeld = false;
    if (line.served === 0) lines.delete(key);
  }

  async function answerAndRest(
    line: Line<Asked, Answer>,
    { key, batch }: { readonly key: string; readonly batch: readonly Waiting<Asked, Answer>[] },
    { clock, restMsMax, besideMs }: Gather,
  ): Promise<void> {
    const over = new AbortController();
    const begunMs = clock.mono();
    line.isHeld = true;
    void clock.sleep(besideMs, over.signal).then(() => {
      if (over.signal.aborted) return;
      line.isHeld = false;
      if (line.waiting.length > 0) begin(key, line);
    });
    await answer(key, batch);
    over.abort('over');
    if (line.waiting.length >= countMax) return;
    const rested = new AbortController();
    line.isFull = () => rested.abort('full');
    await clock.sleep(Math.min(clock.mono() - begunMs, restMsMax), rested.signal);
    line.isFull = nothing;
  }

  async function answer(key: string, batch: readonly Waiting<Asked, Answer>[]): Promise<void> {
    try {
      const answers = await serve(
        key,
        batch.map(({ asked }) => asked),
      );
      if (answers.length !== batch.length) throw new Error(`a batch of ${batch.length} was given ${answers.length} answers`);
      batch.forEach(({ resolve }, i) => resolve(answers[i] as Answer | Promise<Answer>));
    } catch (error) {
      if (batch.length === 1) batch[0]?.reject(error);
      else await Promise.all(batch.map(one => answer(key, [one])));
    }
  }

  function begin(key: string, line: Line<Asked, Answer>): void {
    if (line.served === atOnceMax) return;
    line.served += 1;
    line.isHeld = gather !== undefined;
    // Begins when whoever else asks in this moment has taken his place.
    queueMicrotask(() => void work(key, line));
  }

  return (key, asked) =>
    new Promise((resolve, reject) => {
      const line = lines.get(key) ?? { waiting: [], served: 0, isFull: nothing, isHeld: false };
      lines.set(key, line);
      line.waiting.push({ asked, resolve, reject });
      if (line.waiting.length >= countMax) line.isFull();
      if (line.served === 0 || !line.isHeld) begin(key, line);
    });
}

const nothing = (): void => {};

/**
 * What a statement answered to each of a batch, by whose turn it is, the first being 1. The turn is taken off the row itself, as its last
 * column: a copy of a run without it took longer than all else that is done with its row.
 */
export function byTurn<Row extends { readonly turn: number }>(rows: readonly Row[]): Map<number, Omit<Row, 'turn'>> {
  const answered = new Map<number, Omit<Row, 'turn'>>();
  for (const row of rows) {
    answered.set(row.turn, row);
    delete (row as { turn?: number }).turn;
  }
  return answered;
}
