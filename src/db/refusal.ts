import pg from 'pg';
import { Fault } from '../kernel/fault.ts';

/** Turns what the driver throws into a Fault where a caller can act on it; anything else is a mistake of ours and stays as it is. */
export function asFault(error: unknown): unknown {
  if (error instanceof Fault || !(error instanceof Error)) return error;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (code === '53100')
    return new Fault('disk_full', { hint: 'Free space where the database keeps its data; nothing was changed', cause: error });
  if (isConnectionLoss(code, error.message)) {
    return new Fault('database_unavailable', {
      hint: 'It is tried again; if this stays, look at the log of the database',
      cause: error,
    });
  }
  return error;
}

/** A transaction that lost a race and can simply be run again: serialization failure, deadlock. */
export function isRetryable(error: unknown): boolean {
  return error instanceof pg.DatabaseError && (error.code === '40001' || error.code === '40P01');
}

const connectionCodes = ['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ENOTFOUND', '57P01', '57P02', '57P03', '53300'];

function isConnectionLoss(code: string, message: string): boolean {
  return (
    connectionCodes.includes(code) ||
    code.startsWith('08') ||
    /Connection terminated|timeout exceeded when trying to connect|Query read timeout|connection is closed|not queryable/i.test(
      message,
    )
  );
}
