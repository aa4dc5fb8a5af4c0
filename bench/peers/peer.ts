/** A queue that is compared with ours: jobs that do nothing, fetched and completed. */
export interface Peer {
  readonly name: string;
  /** Peers of one queue work on the same rows, which the first of them fills; `floor` is what ours cannot do without. */
  readonly queue: 'ours' | 'floor' | 'graphile-worker' | 'pg-boss';
  /** Adds so many jobs that are due. */
  fill(count: number): Promise<void>;
  /** Fetches and completes so many with this many workers at once; how many in a second. */
  work(workers: number, count: number): Promise<number>;
  close(): Promise<void>;
}
