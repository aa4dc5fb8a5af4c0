import { createRequire } from 'node:module';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isTest } from './checks/finding.ts';
import { root, sources } from './repo.ts';
import { createTrial, runTool } from './trial.ts';

/** One import per rule that breaks it: rule, importing file, imported file or package. */
const BROKEN: readonly (readonly [rule: string, from: string, to: string])[] = [
  ['no-cycle', 'src/kernel/ring-a.ts', 'src/kernel/ring-b.ts'],
  ['every-import-resolves', 'src/kernel/blind.ts', 'src/kernel/gone.ts'],
  ['contract-imports-only-zod', 'contract/a.ts', 'src/kernel/fault.ts'],
  ['contract-imports-only-zod', 'contract/b.ts', 'node:fs'],
  ['kernel-knows-no-product', 'src/kernel/a.ts', 'contract/clean.ts'],
  ['kernel-knows-no-product', 'src/kernel/b.ts', 'pg'],
  ['git-knows-only-kernel', 'src/git/a.ts', 'src/worker/sandbox.ts'],
  ['git-knows-only-kernel', 'src/git/b.ts', 'zod'],
  ['db-knows-only-kernel-and-the-wire', 'src/db/a.ts', 'src/stages/runs/index.ts'],
  ['sessions-calls-no-later-stage', 'src/stages/sessions/a.ts', 'src/stages/specs/index.ts'],
  ['specs-calls-no-later-stage', 'src/stages/specs/a.ts', 'src/stages/runs/index.ts'],
  ['tickets-calls-no-later-stage', 'src/stages/tickets/a.ts', 'src/stages/runs/index.ts'],
  ['runs-calls-no-later-stage', 'src/stages/runs/a.ts', 'src/stages/deploys/index.ts'],
  ['reviews-calls-no-later-stage', 'src/stages/reviews/a.ts', 'src/stages/changes/index.ts'],
  ['changes-calls-no-later-stage', 'src/stages/changes/a.ts', 'src/stages/deploys/index.ts'],
  ['slices-meet-at-their-index', 'src/stages/runs/b.ts', 'src/stages/tickets/verbs.ts'],
  ['slices-meet-at-their-index', 'src/stages/runs/c.ts', 'src/support/access/reads.ts'],
  ['a-model-is-pure', 'src/stages/runs/model/a.ts', 'node:crypto'],
  ['a-model-is-pure', 'src/stages/runs/model/b.ts', 'src/kernel/clock.ts'],
  ['a-model-is-pure', 'src/stages/runs/model/c.ts', 'src/db/tx.ts'],
  ['support-knows-no-stage', 'src/support/access/a.ts', 'src/stages/runs/index.ts'],
  ['a-slice-knows-no-outside', 'src/stages/runs/d.ts', 'src/providers/agents/codex.ts'],
  ['a-slice-knows-no-outside', 'src/stages/runs/e.ts', 'src/worker/sandbox.ts'],
  ['only-routes-know-the-server', 'src/stages/runs/verbs.ts', 'fastify'],
  ['only-routes-and-main-know-http', 'src/stages/runs/f.ts', 'src/http/app.ts'],
  ['only-db-knows-the-driver', 'src/stages/runs/g.ts', 'pg'],
  ['only-db-knows-the-driver', 'src/stages/runs/h.ts', 'graphile-worker'],
  ['nobody-calls-an-observer', 'src/stages/runs/i.ts', 'src/observers/audit/index.ts'],
  ['http-meets-a-slice-at-its-index-or-routes', 'src/http/a.ts', 'src/stages/tickets/verbs.ts'],
  ['flow-meets-a-slice-at-its-index', 'src/flow.ts', 'src/stages/tickets/verbs.ts'],
  ['sandboxes-know-only-kernel-and-their-port', 'src/providers/sandboxes/a.ts', 'src/worker/agent.ts'],
  ['agents-know-only-kernel-and-their-port', 'src/providers/agents/a.ts', 'src/worker/index.ts'],
  ['blobs-know-only-kernel-and-their-port', 'src/providers/blobs/a.ts', 'src/db/tx.ts'],
  ['forges-know-only-kernel-and-their-port', 'src/providers/forges/a.ts', 'src/stages/tickets/index.ts'],
  ['models-know-only-kernel-and-their-port', 'src/providers/models/a.ts', 'src/gateway/ledger.ts'],
  ['the-gateway-model-is-pure', 'src/gateway/model/a.ts', 'src/kernel/clock.ts'],
  ['the-gateway-knows-slices-by-their-index', 'src/gateway/a.ts', 'src/stages/runs/verbs.ts'],
  ['the-gateway-knows-slices-by-their-index', 'src/gateway/b.ts', 'src/providers/models/http/index.ts'],
  ['the-gateway-is-wired-by-main-and-http', 'src/http/b.ts', 'src/gateway/ledger.ts'],
  ['few-know-the-gateway', 'src/worker/c.ts', 'src/gateway/index.ts'],
  ['a-provider-has-a-port', 'src/providers/targets/a.ts', 'src/stages/tickets/index.ts'],
  ['providers-are-wired-by-main-or-cli', 'src/worker/a.ts', 'src/providers/agents/codex.ts'],
  ['a-worker-speaks-only-http', 'src/worker/b.ts', 'src/db/tx.ts'],
  ['the-cli-sees-no-slice', 'src/cli/a.ts', 'src/stages/runs/index.ts'],
  ['the-cli-sees-no-slice', 'src/cli/b.ts', 'src/worker/agent.ts'],
  ['git-runs-for-few', 'src/stages/runs/j.ts', 'src/git/index.ts'],
  ['nobody-imports-main-but-the-cli', 'src/cli/c.ts', 'src/main.ts'],
  ['a-client-knows-only-the-wire', 'src/client/a.ts', 'src/worker/index.ts'],
  ['a-sandbox-sees-no-product', 'src/inside/a.ts', 'src/client/index.ts'],
  ['a-sandbox-sees-no-product', 'src/inside/b.ts', 'src/worker/host/index.ts'],
  ['nobody-imports-what-runs-inside', 'src/worker/c.ts', 'src/inside/host.ts'],
  ['settings-are-handed-on-as-values', 'src/db/b.ts', 'src/config.ts'],
  ['the-dashboard-sees-only-the-contract', 'dashboard/a.ts', 'src/kernel/fault.ts'],
  ['the-product-imports-no-test', 'src/db/c.ts', 'test/harness/world.ts'],
  ['the-product-imports-no-test', 'src/db/d.ts', 'vitest'],
];

/** What the house is meant to do; no rule may say a word. */
const SOUND: readonly (readonly [from: string, to: string])[] = [
  ['contract/clean.ts', 'zod'],
  ['src/kernel/log.ts', 'pino'],
  ['src/kernel/clock.ts', 'node:timers/promises'],
  ['src/db/tx.ts', 'pg'],
  ['src/db/tx.test.ts', 'test/harness/world.ts'],
  ['src/stages/tickets/verbs.ts', 'src/stages/tickets/model/ticket.ts'],
  ['src/stages/tickets/index.ts', 'src/stages/tickets/verbs.ts'],
  ['src/stages/tickets/model/ticket.ts', 'src/kernel/machine.ts'],
  ['src/stages/runs/routes.ts', 'fastify'],
  ['src/stages/runs/index.ts', 'src/stages/tickets/index.ts'],
  ['src/providers/agents/codex.ts', 'src/worker/agent.ts'],
  ['src/providers/sandboxes/local.ts', 'src/worker/sandbox.ts'],
  ['src/providers/blobs/folder.ts', 'src/stages/runs/blobs.ts'],
  ['src/providers/forges/git/index.ts', 'src/support/repositories/upstream.ts'],
  ['src/providers/models/recorded/index.ts', 'src/gateway/upstream.ts'],
  ['src/providers/forges/git/source.ts', 'src/git/index.ts'],
  ['src/support/repositories/depot/depot.ts', 'src/git/index.ts'],
  ['src/git/git.ts', 'src/kernel/fault.ts'],
  ['src/worker/index.ts', 'contract/clean.ts'],
  ['src/worker/agent.ts', 'src/worker/sandbox.ts'],
  ['src/http/app.ts', 'src/stages/runs/routes.ts'],
  ['src/client/index.ts', 'contract/clean.ts'],
  ['src/cli/status.ts', 'src/client/index.ts'],
  ['src/worker/claim.ts', 'src/client/index.ts'],
  ['src/cli/start.ts', 'src/main.ts'],
  ['src/cli/work.ts', 'src/worker/index.ts'],
  ['src/gateway/call/index.ts', 'src/gateway/model/prices.ts'],
  ['src/gateway/gateway.ts', 'src/stages/runs/index.ts'],
  ['src/http/routes.ts', 'src/gateway/index.ts'],
  ['src/main.ts', 'src/providers/blobs/folder.ts'],
  ['src/observers/audit/index.ts', 'src/stages/runs/index.ts'],
  ['test/harness/world.ts', 'src/main.ts'],
];

interface Cruise {
  readonly modules: readonly { readonly source: string }[];
  readonly summary: { readonly violations: readonly { readonly from: string; readonly rule: { readonly name: string } }[] };
}

describe('the arrows', () => {
  let broken: string[] = [];
  let trial: ReturnType<typeof createTrial>;

  beforeAll(() => {
    trial = createTrial(draw());
    broken = cruise(trial.folder).summary.violations.map(({ from, rule }) => `${from} ${rule.name}`);
  });
  afterAll(() => trial.remove());

  it.each(BROKEN)('%s: refuses %s → %s', (rule, from) => {
    expect(broken).toContain(`${from} ${rule}`);
  });

  it('has an example above for every rule', () => {
    const { forbidden } = createRequire(import.meta.url)('../.dependency-cruiser.cjs') as {
      forbidden: readonly { readonly name: string }[];
    };
    expect(new Set([...BROKEN.map(([rule]) => rule), 'no-orphan'])).toEqual(new Set(forbidden.map(({ name }) => name)));
  });

  it('refuses a file that nothing imports and that imports nothing', () => {
    expect(broken).toContain('src/support/access/alone.ts no-orphan');
  });

  it('lets the house stand as it is meant', () => {
    expect(broken.filter(text => SOUND.some(([from]) => text.startsWith(`${from} `)))).toEqual([]);
  });

  it('sees every file of the product', () => {
    // With a compiler that it does not know, the tool sees no module, finds no fault and exits with 0.
    const seen = new Set(cruise(root).modules.map(({ source }) => source));
    const files = sources(/^(src|contract)\/.*[.]ts$/).map(({ path }) => path);
    expect(files.filter(path => !isTest(path) && !seen.has(path))).toEqual([]);
  });
});

function cruise(folder: string): Cruise {
  return runTool(folder, 'dependency-cruiser/bin/dependency-cruise.mjs', [
    '--config',
    '.dependency-cruiser.cjs',
    '--output-type',
    'json',
    '.',
  ]) as Cruise;
}

/** The files of both lists; whatever is only imported is an empty module. */
function draw(): Map<string, string> {
  const arrows = [...SOUND, ...BROKEN.map(([, from, to]) => [from, to] as const)];
  const files = new Map([
    ['src/support/access/alone.ts', 'export {};\n'],
    // The way back is a type: such a cycle is one too.
    ['src/kernel/ring-b.ts', `export type { A } from './ring-a.ts';\n`],
  ]);
  for (const [, to] of arrows)
    if (to.endsWith('.ts') && to !== 'src/kernel/gone.ts' && !files.has(to)) files.set(to, 'export {};\n');
  for (const [from, to] of arrows)
    files.set(from, `${files.get(from) ?? ''}import '${to.endsWith('.ts') ? upFrom(from) + to : to}';\n`);
  return files;
}

function upFrom(path: string): string {
  return '../'.repeat(path.split('/').length - 1) || './';
}
