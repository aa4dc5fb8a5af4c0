import type { MemoryPostgres, Row } from '../postgres/types.ts';

/** Reads the database as its owner, at one moment: for people who look at a screen, and for the end of the world. */
export interface Look {
  rows<T extends Row>(text: string, values?: readonly unknown[]): T[];
}

export function createLook(postgres: MemoryPostgres): Look {
  const session = postgres.connect('owner');
  return {
    rows: (text, values = []) => session.run(text, values) as never,
  };
}
