import { createDatabase, type Database, type Routes } from '../../../src/db/database.ts';
import { type Pool, runStatement } from '../../../src/db/pool.ts';
import type { Role } from '../postgres/types.ts';
import { SimulatedConnection } from './connection.ts';
import type { Meeting } from './faults.ts';

export interface SimulatedDatabase extends Database {
  /** The server's life is over: what it had begun is rolled back, and nothing that it asked is ever answered. */
  crash(): void;
}

/** The product's own transactions over an in-memory PostgreSQL, for one life of one server. */
export function openSimulatedDatabase({ routes, ...meeting }: Meeting & { readonly routes: Routes }): SimulatedDatabase {
  const open = new Set<SimulatedConnection>();
  const idle: Record<Role, SimulatedConnection[]> = { app: [], engine: [], owner: [] };
  const connect = (role: Role): SimulatedConnection => {
    const used = idle[role].pop();
    if (used !== undefined) return used;
    const whenFree = (free: SimulatedConnection) => void idle[role].push(free);
    const connection = new SimulatedConnection(meeting, { role, whenOver: over => open.delete(over), whenFree });
    open.add(connection);
    return connection;
  };
  const pool = (role: Role): Pool => ({
    async query(statement, values) {
      const connection = connect(role);
      try {
        return await runStatement(connection, statement, values);
      } finally {
        connection.release();
      }
    },
    connect: () => Promise.resolve(connect(role)),
    get raw(): never {
      throw new Error('There is no driver in a simulated world');
    },
    close: () => Promise.resolve(),
  });
  return {
    ...createDatabase({ appPool: pool('app'), enginePool: pool('engine'), routes, clock: meeting.process.clock }),
    crash() {
      for (const connection of open) connection.crash();
    },
  };
}
