// Made from the migrations by `npm run generate`: do not edit.

export interface Tables {
  readonly blob_chunks: BlobChunksTable;
  readonly blobs: BlobsTable;
  readonly brakes: BrakesTable;
  readonly breakers: BreakersTable;
  readonly budgets: BudgetsTable;
  readonly changes: ChangesTable;
  readonly event_sequencer: EventSequencerTable;
  readonly events: EventsTable;
  readonly memories: MemoriesTable;
  readonly migrations: MigrationsTable;
  readonly model_calls: ModelCallsTable;
  readonly plannings: PlanningsTable;
  readonly projects: ProjectsTable;
  readonly questions: QuestionsTable;
  readonly result_submissions: ResultSubmissionsTable;
  readonly reviews: ReviewsTable;
  readonly run_limits: RunLimitsTable;
  readonly run_logs: RunLogsTable;
  readonly runs: RunsTable;
  readonly sandbox_kills: SandboxKillsTable;
  readonly servers: ServersTable;
  readonly session_messages: SessionMessagesTable;
  readonly sessions: SessionsTable;
  readonly specs: SpecsTable;
  readonly template_versions: TemplateVersionsTable;
  readonly templates: TemplatesTable;
  readonly tenants: TenantsTable;
  readonly ticket_dependencies: TicketDependenciesTable;
  readonly tickets: TicketsTable;
  readonly tokens: TokensTable;
  readonly transcript_events: TranscriptEventsTable;
  readonly trunks: TrunksTable;
  readonly workers: WorkersTable;
}

interface BlobChunksTable {
  sha256: string;
  number: number;
  bytes: Buffer;
}

interface BlobsTable {
  tenantId: string;
  sha256: string;
  size: number;
  kind: 'bundle' | 'merge' | 'rescue' | 'artifact';
  runId: string;
  createdAt: Date;
  name: string;
}

interface BrakesTable {
  tenantId: string;
  state: 'off' | 'on' | 'trying';
  reason: string;
  pulledBy: string;
  pulledAt: Date;
  dueAt: Date | null;
  pulls: number;
  changedAt: Date;
}

interface BreakersTable {
  tenantId: string;
  provider: string;
  model: string;
  state: unknown;
  changedAt: Date;
  retryAt: Date | null;
}

interface BudgetsTable {
  id: string;
  tenantId: string;
  scope: 'tenant' | 'project' | 'spec' | 'ticket' | 'agent' | 'run';
  scopeId: string;
  templateId: string | null;
  capMicrousd: number | null;
  capTokens: number | null;
  spentMicrousd: number;
  spentTokens: number;
  reservedMicrousd: number;
  reservedTokens: number;
  level: 'ok' | 'warned' | 'alerted' | 'spent';
  createdAt: Date;
  updatedAt: Date;
}

interface ChangesTable {
  id: string;
  tenantId: string;
  trunkId: string;
  ticketId: string;
  state: 'open' | 'queued' | 'merging' | 'merged' | 'conflict' | 'closed';
  approval: 'not_needed' | 'needed' | 'given';
  approvedBy: string | null;
  headSha: string;
  baseSha: string;
  reviewId: string;
  runId: string;
  flags: unknown;
  conflictFiles: unknown;
  conflictBaseSha: string | null;
  mergeSha: string | null;
  mergeBlob: string | null;
  mergeNumber: number | null;
  reason: string | null;
  createdAt: Date;
  updatedAt: Date;
  queuedAt: Date | null;
  mergedAt: Date | null;
}

interface EventSequencerTable {
  theOnly: boolean;
  lastPosition: number;
}

interface EventsTable {
  id: number;
  position: number | null;
  tenantId: string;
  type: string;
  subjectType: string;
  subjectId: string;
  actor: string;
  payload: unknown;
  at: Date;
}

interface MemoriesTable {
  id: string;
  tenantId: string;
  projectId: string;
  runId: string | null;
  kind: 'error_fix' | 'discovery' | 'decision' | 'warning' | 'knowledge';
  text: string;
  sha256: string;
  createdAt: Date;
}

interface MigrationsTable {
  name: string;
  sha256: string;
  appliedAt: Date;
}

interface ModelCallsTable {
  id: string;
  tenantId: string;
  runId: string;
  projectId: string;
  specId: string | null;
  ticketId: string | null;
  agent: string;
  wire: string;
  provider: string;
  model: string;
  isRecorded: boolean;
  state: 'reserved' | 'completed' | 'failed' | 'incomplete' | 'lost';
  attempts: number;
  status: number | null;
  errorClass: string | null;
  reservedMicrousd: number;
  reservedTokens: number;
  inputTokens: number;
  outputTokens: number;
  cachedTokens: number;
  cacheWriteTokens: number;
  reasoningTokens: number;
  costMicrousd: number | null;
  priceDate: string | null;
  chargedMicrousd: number;
  chargedTokens: number;
  budgetIds: string[];
  firstByteMs: number | null;
  startedAt: Date;
  endedAt: Date | null;
}

interface PlanningsTable {
  tenantId: string;
  sessionId: string;
  state: 'working' | 'asking' | 'stopped' | 'done';
  phase: 'CLARIFY' | 'REQUIREMENTS' | 'DESIGN' | 'TASKS';
  rounds: number;
  tries: number;
  reason: string | null;
  baseSha: string | null;
  objectFormat: 'sha1' | 'sha256';
  begunAt: Date;
  updatedAt: Date;
}

interface ProjectsTable {
  id: string;
  tenantId: string;
  name: string;
  repository: string | null;
  agent: unknown;
  createdAt: Date;
  updatedAt: Date;
  checks: unknown;
  testChanges: 'ask' | 'allow';
  redBase: 'refuse' | 'leave_out';
  planner: unknown;
  collisions: 'hold' | 'allow';
  labels: string[];
  isolation: 'none' | 'namespaces' | 'kernel' | 'machine';
  network: unknown;
  setup: unknown;
  router: unknown;
}

interface QuestionsTable {
  id: string;
  tenantId: string;
  kind: 'budget' | 'blocker' | 'ask' | 'recovery';
  state: 'pending' | 'answered' | 'expired';
  subjectType: string;
  subjectId: string;
  key: string;
  projectId: string | null;
  ticketId: string | null;
  runId: string | null;
  specId: string | null;
  text: string;
  options: unknown;
  defaultAnswer: string | null;
  answer: string | null;
  answeredBy: string | null;
  dueAt: Date | null;
  createdAt: Date;
  decidedAt: Date | null;
}

interface ResultSubmissionsTable {
  id: string;
  tenantId: string;
  specId: string;
  version: number;
  state: 'submitted' | 'validated' | 'rejected';
  proof: 'unproven' | 'proven';
  summary: string;
  evidence: unknown;
  criteria: unknown;
  submittedBy: string;
  reason: string | null;
  createdAt: Date;
  decidedAt: Date | null;
}

interface ReviewsTable {
  id: string;
  tenantId: string;
  kind: 'base' | 'submission' | 'merge';
  trunkId: string;
  ticketId: string | null;
  runId: string | null;
  round: number;
  state: 'pending' | 'running' | 'passed' | 'needs_work' | 'failed' | 'inconclusive';
  headSha: string;
  baseSha: string;
  candidateSha: string;
  checks: unknown;
  flags: unknown;
  reason: string | null;
  createdAt: Date;
  endedAt: Date | null;
}

interface RunLimitsTable {
  tenantId: string;
  scope: 'tenant' | 'project' | 'agent' | 'worker';
  scopeId: string;
  runsMax: number;
  createdAt: Date;
  updatedAt: Date;
}

interface RunLogsTable {
  tenantId: string;
  runId: string;
  chunkOffset: number;
  bytes: Buffer;
  at: Date;
}

interface RunsTable {
  id: string;
  tenantId: string;
  subjectType: 'ticket' | 'spec_phase' | 'review' | 'conflict' | 'diagnosis';
  subjectId: string;
  attempt: number;
  state: 'queued' | 'leased' | 'starting' | 'working' | 'submitted' | 'accepted' | 'returned' | 'failed' | 'lost' | 'parked' | 'cancelled';
  priority: number;
  chain: number;
  requires: string[];
  dueAt: Date;
  worker: string | null;
  fence: number | null;
  leaseTokenHash: Buffer | null;
  leaseExpiresAt: Date | null;
  sandbox: string | null;
  failureClass: string | null;
  failureMessage: string | null;
  result: unknown;
  createdAt: Date;
  leasedAt: Date | null;
  startedAt: Date | null;
  endedAt: Date | null;
  ticketId: string | null;
  ticketStatus: string | null;
  task: unknown;
  feedback: unknown;
  resumeSha: string | null;
  runTokenHash: Buffer | null;
  halt: unknown;
  report: unknown;
  resumed: boolean;
  projectId: string | null;
  agent: string | null;
  phase: string | null;
  phaseAt: Date | null;
  health: 'ok' | 'late' | 'degraded';
  agedAt: Date | null;
  carried: boolean;
  template: string | null;
  fallbackOf: string | null;
  retried: 'go_on' | 'anew' | null;
}

interface SandboxKillsTable {
  tenantId: string;
  sandboxId: string;
  askedBy: string;
  askedAt: Date;
}

interface ServersTable {
  id: string;
  jobSlots: string[];
  startedAt: Date;
  beatAt: Date;
  name: string;
  version: string;
  url: string;
  state: 'active' | 'draining';
}

interface SessionMessagesTable {
  tenantId: string;
  sessionId: string;
  number: number;
  author: string;
  text: string;
  createdAt: Date;
  questions: unknown;
}

interface SessionsTable {
  id: string;
  tenantId: string;
  projectId: string;
  description: string;
  state: 'input' | 'clarifying' | 'reviewing' | 'approved' | 'building' | 'completed' | 'failed' | 'cancelled';
  createdAt: Date;
  updatedAt: Date;
}

interface SpecsTable {
  id: string;
  tenantId: string;
  sessionId: string;
  projectId: string;
  version: number;
  name: string;
  status: 'draft' | 'executing_planning' | 'planning_complete' | 'executing_tasks' | 'completed' | 'failed' | 'cancelled';
  phase: 'EXPLORE' | 'REQUIREMENTS' | 'DESIGN' | 'TASKS' | 'SYNC' | 'EXECUTE' | 'COMPLETE';
  card: unknown;
  createdAt: Date;
  updatedAt: Date;
  onResultFound: 'stop_all' | 'do_nothing';
  plan: unknown;
}

interface TemplateVersionsTable {
  tenantId: string;
  id: string;
  name: string;
  version: number;
  source: string;
  description: string | null;
  lineage: string[];
  agent: unknown;
  prompt: string;
  limits: unknown;
  fallback: string[];
  createdAt: Date;
  tools: string[] | null;
}

interface TemplatesTable {
  tenantId: string;
  name: string;
  version: number;
  removedAt: Date | null;
  createdAt: Date;
  updatedAt: Date;
}

interface TenantsTable {
  id: string;
  name: string;
  ticketCount: number;
  createdAt: Date;
  router: unknown;
}

interface TicketDependenciesTable {
  tenantId: string;
  ticketId: string;
  needsId: string;
}

interface TicketsTable {
  tenantId: string;
  id: string;
  number: number;
  sessionId: string | null;
  specId: string | null;
  projectId: string;
  type: 'epic' | 'feature' | 'task' | 'bug';
  title: string;
  description: string;
  acceptanceCriteria: unknown;
  status: 'pending' | 'blocked' | 'ready' | 'claimed' | 'running' | 'verifying' | 'merging' | 'completed' | 'waiting' | 'failed' | 'cancelled';
  statusReason: string | null;
  proof: 'unproven' | 'proven' | null;
  parentId: string | null;
  priority: number;
  chain: number;
  estimate: number | null;
  assignedVm: string | null;
  branchName: string | null;
  prUrl: string | null;
  attempts: number;
  createdAt: Date;
  updatedAt: Date;
  files: string[];
  observed: string[];
}

interface TokensTable {
  id: string;
  tenantId: string;
  name: string;
  role: 'admin' | 'member' | 'viewer' | 'worker';
  secretHash: Buffer;
  createdAt: Date;
  expiresAt: Date | null;
  revokedAt: Date | null;
}

interface TranscriptEventsTable {
  tenantId: string;
  runId: string;
  seq: number;
  chunkEnd: number;
  type: 'message' | 'thought' | 'tool_call' | 'tool_result' | 'file_change' | 'usage' | 'cut';
  at: Date;
  body: unknown;
}

interface TrunksTable {
  id: string;
  tenantId: string;
  projectId: string;
  specId: string | null;
  branch: string;
  state: 'preparing' | 'checking' | 'ready' | 'refused';
  reason: string | null;
  hint: string | null;
  redBase: 'refuse' | 'leave_out';
  objectFormat: 'sha1' | 'sha256';
  baseSha: string | null;
  headSha: string | null;
  mergingId: string | null;
  mergeCount: number;
  publishedSha: string | null;
  publishError: string | null;
  publishAttempts: number;
  publishDueAt: Date | null;
  checks: unknown;
  notes: unknown;
  createdAt: Date;
  updatedAt: Date;
}

interface WorkersTable {
  tenantId: string;
  name: string;
  incarnation: string;
  host: string;
  version: string;
  slots: number;
  capabilities: string[];
  sandbox: unknown;
  state: 'active' | 'draining' | 'left' | 'gone';
  isToldToDrain: boolean;
  startedAt: Date;
  beatAt: Date;
  worth: unknown;
  sandboxes: unknown;
}
