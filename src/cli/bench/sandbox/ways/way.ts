/** A program that has written its first byte. */
export interface Started {
  /** When it ran its first instruction, as the clock counts; undefined where that is not known. */
  readonly firstMs?: number | undefined;
  /** Kills it; resolves when nothing of it and of what is around it is left. */
  end(): Promise<void>;
}

/** One way of starting a program. */
export interface Way {
  readonly name: string;
  /** Whether it is Skep's, or stands beside it. */
  readonly isOurs: boolean;
  /** Has so many made before they are asked for, where this way can. Between two measurements, not timed. */
  readonly prepare?: (count: number) => Promise<void>;
  /** Gives back what is prepared and was not asked for, so that nothing else is measured beside it. */
  readonly release?: () => Promise<void>;
  /** Starts the program; resolves at its first byte. */
  start(): Promise<Started>;
}

/** What is not here, and why. */
export interface Lacking {
  readonly name: string;
  readonly why: string;
}

/** Of the starts of one way, in the order in which they were asked for; milliseconds. */
export interface Timed {
  readonly startMs: readonly number[];
  readonly endMs: readonly number[];
}

/** As many in one moment. */
export interface AtOnce {
  readonly count: number;
  /** From the first that was asked for to the last that wrote. */
  readonly wallMs: number;
  readonly startMs: readonly number[];
  /** Proportional memory of all processes of each, in KB, all of them alive; undefined where it may not be read. */
  readonly memoryKb: number | undefined;
}
