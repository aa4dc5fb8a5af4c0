import { statement } from './statement.ts';

/** No row where there is one of this number already. */
export const insertChunk = statement<{ number: number }>(
  'insert_chunk',
  'insert into blob_chunks (sha256, number, bytes) values ($1, $2, $3) on conflict (sha256, number) do nothing returning number',
);

export const chunkOf = statement<{ bytes: Buffer }>(
  'chunk_of',
  'select bytes from blob_chunks where sha256 = $1 and number = $2',
);
