import pg from 'pg';
import type { SqlError } from '../postgres/types.ts';

/** As the driver throws what the server refused. */
export function refused({ code, message, constraint }: Pick<SqlError, 'code' | 'message' | 'constraint'>): Error {
  const error = new pg.DatabaseError(message, message.length, 'error');
  error.code = code;
  error.constraint = constraint;
  return error;
}

/** As the driver throws what it never heard of again. */
export function cut(): Error {
  return Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
}
