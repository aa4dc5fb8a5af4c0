/**
 * A second real process that starts or adopts the embedded server: `node --import tsx embedded-process.ts <home> [failpoints]`.
 * Prints one line of JSON (the server, or the fault) and lives until its stdin ends.
 */
import { writeSync } from 'node:fs';
import { startEmbedded } from '../../src/db/embedded/index.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { armFailpoints } from '../../src/kernel/failpoint.ts';
import { isFault } from '../../src/kernel/fault.ts';
import { silentLog } from '../../src/kernel/log.ts';

const [home = '', failpoints = '', packageFolder] = process.argv.slice(2);
armFailpoints(failpoints);
try {
  say(await startEmbedded({ home, clock: systemClock, log: silentLog, packageFolder }));
} catch (error) {
  say(
    isFault(error) ? { fault: error.code, message: error.message, hint: error.hint } : { fault: 'error', message: String(error) },
  );
}
process.stdin.resume().on('end', () => process.exit(0));

function say(line: object): void {
  writeSync(1, `${JSON.stringify(line)}\n`);
}
