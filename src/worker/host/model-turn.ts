/**
 * What a worker and the program that asks a model plainly (src/inside/model.ts) say to each other: the turn as one JSON document on
 * stdin, and one event as JSON on stdout. How it goes is said on stderr.
 */
export interface ModelTurn {
  readonly model: string;
  /** The file that the answer becomes, relative to the repository. */
  readonly output: string;
  /** What the project asks of the answer, in its own words. */
  readonly prompt: string | null;
  /** Paths and patterns of what the model is shown. */
  readonly files: readonly string[];
  /** The ticket as JSON. */
  readonly task: string;
}

export type ModelEvent =
  | { readonly event: 'written'; readonly text: string; readonly inputTokens: number; readonly outputTokens: number }
  | { readonly event: 'failed'; readonly why: WhyNoFile; readonly message: string };

/** `path`: the file cannot be where it should. */
export type WhyNoFile = 'refused' | 'no_answer' | 'cut_off' | 'unwilling' | 'empty' | 'path' | 'other';

/** The program's file, in the folder of the programs for sandboxes. */
export const modelProgram = 'model.mjs';
