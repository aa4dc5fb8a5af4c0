// Made from the migrations by `npm run generate`: do not edit.

export interface Tables {
  readonly blobs: BlobsTable;
  readonly event_sequencer: EventSequencerTable;
  readonly events: EventsTable;
  readonly migrations: MigrationsTable;
  readonly projects: ProjectsTable;
  readonly run_logs: RunLogsTable;
  readonly runs: RunsTable;
  readonly servers: ServersTable;
  readonly session_messages: SessionMessagesTable;
  readonly sessions: SessionsTable;
  readonly specs: SpecsTable;
  readonly tenants: TenantsTable;
  readonly ticket_dependencies: TicketDependenciesTable;
  readonly tickets: TicketsTable;
  readonly tokens: TokensTable;
}

interface BlobsTable {
  tenantId: string;
  sha256: string;
  size: number;
  kind: 'bundle';
  runId: string;
  createdAt: Date;
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

interface MigrationsTable {
  name: string;
  sha256: string;
  appliedAt: Date;
}

interface ProjectsTable {
  id: string;
  tenantId: string;
  name: string;
  repository: string | null;
  agent: unknown;
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
}

interface ServersTable {
  id: string;
  jobSlots: string[];
  startedAt: Date;
  beatAt: Date;
}

interface SessionMessagesTable {
  tenantId: string;
  sessionId: string;
  number: number;
  author: string;
  text: string;
  createdAt: Date;
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
}

interface TenantsTable {
  id: string;
  name: string;
  ticketCount: number;
  createdAt: Date;
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
  proof: 'unproven' | null;
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
