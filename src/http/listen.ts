import type { FastifyInstance } from 'fastify';
import { Fault } from '../kernel/fault.ts';
import { whoListens } from '../kernel/processes/port.ts';

/** Opens the port; the URL under which the API answers. Throws Fault `address_in_use`, saying by whom. */
export async function listen(app: FastifyInstance, { host, port }: { host: string; port: number }): Promise<string> {
  try {
    return await app.listen({ host, port });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'EADDRINUSE') throw inUse(host, port);
    if (code === 'EACCES')
      throw new Fault('address_in_use', {
        message: `This user may not open port ${port}`,
        hint: 'Use a port above 1023: --port 8080',
      });
    if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') {
      throw new Fault('invalid_config', {
        message: `${host} is no address of this machine`,
        hint: 'Use --host 127.0.0.1 or --host 0.0.0.0',
      });
    }
    throw error;
  }
}

function inUse(host: string, port: number): Fault {
  const owner = whoListens(port);
  const by = owner === undefined ? 'another program' : `${owner.command} (pid ${owner.pid})`;
  return new Fault('address_in_use', {
    message: `Port ${port} of ${host} is in use by ${by}`,
    hint: 'Stop it, or choose another port: --port 8081 (0: a free one)',
  });
}
