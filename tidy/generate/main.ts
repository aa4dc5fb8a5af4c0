/**
 * Writes what is derived from the migrations, the machines, the table of attacks and what the proofs saw of agents: `npm run generate`. Tests
 * compare each file with what would be written now (src/db/generated.test.ts, test/states.test.ts, tidy/containment.test.ts,
 * tidy/agents.test.ts).
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { migrate } from '../../src/db/migrate.ts';
import { ensureRoles, provisionEmbedded } from '../../src/db/roles.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { embeddedForTests } from '../../test/harness/postgres.ts';
import { root } from '../repo.ts';
import { agentsText } from './agents.ts';
import { containmentText } from './containment.ts';
import { schemaText } from './schema.ts';
import { statesText } from './states.ts';
import { tablesText } from './tables.ts';

const server = await embeddedForTests();
try {
  const ownerUrl = await provisionEmbedded(server);
  const { names } = await ensureRoles(ownerUrl);
  await migrate(ownerUrl, names, silentLog);
  writeFileSync(join(root, 'src/db/tables.gen.ts'), await tablesText(ownerUrl));
  writeFileSync(join(root, 'src/db/schema.sql'), await schemaText(ownerUrl, names));
  writeFileSync(join(root, 'docs/states.md'), statesText());
  writeFileSync(join(root, 'docs/sandbox-security.md'), containmentText());
  const agents = join(root, 'docs/agents.md');
  writeFileSync(agents, agentsText(readFileSync(agents, 'utf8')));
} finally {
  await server.stop();
}
