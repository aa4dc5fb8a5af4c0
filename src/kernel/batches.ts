interface Batches<Asked, Answer> {
  /** So many are in a batch at most. */
  readonly countMax: number;
  /** So many batches of a key are served at the same time at most: while the database writes one, the next is made. */
  readonly atOnceMax: number;
  /**
   * Beside a batch that is being served another one begins when so many wait; fewer wait for it, and then go together. One, where nobody
   * is to wait.
   */
  readonly besideMin?: number;
  /** An answer to each, in the order in which they are given; one that takes longer than the others may be a promise. */
  readonly serve: (key: string, asked: readonly Asked[]) => Promise<readonly (Answer | Promise<Answer>)[]>;
}

interface Waiting<Asked, Answer> {
  readonly asked: Asked;
  resolve(answer: Answer | Promise<Answer>): void;
  reject(error: unknown): void;
}

interface Line<Asked, Answer> {
  readonly waiting: Waiting<Asked, Answer>[];
  served: number;
}

/**
 * Serves together what is asked for at the same time: of each key a batch or two at once, each of all that came while those before it
 * were served. Who comes alone is served at once. A batch that fails is served one by one: what is wrong with one is told to that one.
 */
export function createBatches<Asked, Answer>({
  countMax,
  atOnceMax,
  besideMin = 1,
  serve,
}: Batches<Asked, Answer>): (key: string, asked: Asked) => Promise<Answer> {
  const lines = new Map<string, Line<Asked, Answer>>();

  async function work(key: string, line: Line<Asked, Answer>): Promise<void> {
    for (let batch = line.waiting.splice(0, countMax); batch.length > 0; batch = line.waiting.splice(0, countMax))
      await answer(key, batch);
    line.served -= 1;
    if (line.served === 0) lines.delete(key);
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

  return (key, asked) =>
    new Promise((resolve, reject) => {
      const line = lines.get(key) ?? { waiting: [], served: 0 };
      lines.set(key, line);
      line.waiting.push({ asked, resolve, reject });
      if (line.served === atOnceMax || (line.served > 0 && line.waiting.length < besideMin)) return;
      line.served += 1;
      // Begins when whoever else asks in this moment has taken his place.
      queueMicrotask(() => void work(key, line));
    });
}

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
