import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { guarded, type Site } from './folder.ts';

/** A port that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() =>
        address !== null && typeof address === 'object' ? resolve(address.port) : reject(new Error('no port')),
      );
    });
  });
}

/** The port of the last start. */
export function rememberedPort(site: Site): number | undefined {
  try {
    const port = Number(readFileSync(site.port, 'utf8'));
    return Number.isInteger(port) && port > 0 && port < 65_536 ? port : undefined;
  } catch {
    return undefined;
  }
}

export function rememberPort(site: Site, port: number): void {
  if (rememberedPort(site) === port) return;
  guarded(site.port, () => {
    // Replaced, not written to: the file may be another user's where root and its owner take turns.
    writeFileSync(`${site.port}.draft`, `${port}\n`);
    renameSync(`${site.port}.draft`, site.port);
  });
}
