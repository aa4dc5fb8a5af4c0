/**
 * Every way in which Skep refuses, in one table: what it means, the HTTP status, the exit code of the CLI, and whether the
 * same request can succeed later. Translation to a status or an exit code happens at the edge and nowhere else.
 *
 * Exit codes: 1 failed · 2 bad input · 3 not found · 4 conflict with the present state · 5 not allowed · 6 not available now ·
 * 7 this machine or its set-up lacks something.
 */
interface FaultKind {
  readonly status: number;
  readonly exit: number;
  readonly retry: boolean;
  readonly text: string;
}

export const faults = {
  invalid_request: { status: 400, exit: 2, retry: false, text: 'The request is not valid' },
  invalid_json: { status: 400, exit: 2, retry: false, text: 'The body is not valid JSON' },
  invalid_cursor: { status: 400, exit: 2, retry: false, text: 'The cursor is not one that this server gave out' },
  invalid_template: { status: 400, exit: 2, retry: false, text: 'The template is not valid' },
  invalid_spec_card: { status: 400, exit: 2, retry: false, text: 'The spec card is not valid' },
  dependency_cycle: { status: 400, exit: 2, retry: false, text: 'The dependencies form a cycle' },
  unknown_dependency: { status: 400, exit: 2, retry: false, text: 'A dependency names something that does not exist' },
  confirmation_required: { status: 400, exit: 2, retry: false, text: 'User confirmation required' },
  session_not_approved: { status: 400, exit: 4, retry: false, text: 'Session must be approved' },
  unauthenticated: { status: 401, exit: 5, retry: false, text: 'Authentication required' },
  forbidden: { status: 403, exit: 5, retry: false, text: 'This token may not do that' },
  route_not_found: { status: 404, exit: 3, retry: false, text: 'No such route' },
  project_not_found: { status: 404, exit: 3, retry: false, text: 'Project not found' },
  session_not_found: { status: 404, exit: 3, retry: false, text: 'Session not found' },
  spec_not_found: { status: 404, exit: 3, retry: false, text: 'Spec not found' },
  ticket_not_found: { status: 404, exit: 3, retry: false, text: 'Ticket not found' },
  run_not_found: { status: 404, exit: 3, retry: false, text: 'Run not found' },
  trunk_not_found: { status: 404, exit: 3, retry: false, text: 'Trunk not found' },
  review_not_found: { status: 404, exit: 3, retry: false, text: 'Review not found' },
  change_not_found: { status: 404, exit: 3, retry: false, text: 'Change not found' },
  result_not_found: { status: 404, exit: 3, retry: false, text: 'Result not found' },
  blob_not_found: { status: 404, exit: 3, retry: false, text: 'Blob not found' },
  token_not_found: { status: 404, exit: 3, retry: false, text: 'Token not found' },
  question_not_found: { status: 404, exit: 3, retry: false, text: 'Question not found' },
  memory_not_found: { status: 404, exit: 3, retry: false, text: 'Memory not found' },
  budget_not_found: { status: 404, exit: 3, retry: false, text: 'Budget not found' },
  rule_not_found: { status: 404, exit: 3, retry: false, text: 'Rule not found' },
  limit_not_found: { status: 404, exit: 3, retry: false, text: 'Limit not found' },
  template_not_found: { status: 404, exit: 3, retry: false, text: 'Template not found' },
  worker_not_found: { status: 404, exit: 3, retry: false, text: 'Worker not found' },
  sandbox_not_found: { status: 404, exit: 3, retry: false, text: 'Sandbox not found' },
  file_not_found: { status: 404, exit: 3, retry: false, text: 'File not found' },
  already_exists: { status: 409, exit: 4, retry: false, text: 'It exists already' },
  wrong_state: { status: 409, exit: 4, retry: false, text: 'The present state does not allow that' },
  branch_exists: { status: 409, exit: 4, retry: false, text: 'The branch exists already' },
  push_refused: { status: 409, exit: 4, retry: true, text: 'The repository did not take the branch' },
  lease_lost: { status: 409, exit: 4, retry: false, text: 'The lease of this run is lost' },
  run_halted: { status: 409, exit: 4, retry: false, text: 'Something stands in the way of this run' },
  log_gap: { status: 409, exit: 4, retry: false, text: 'The log chunk does not follow on what is stored' },
  too_large: { status: 413, exit: 2, retry: false, text: 'The request is larger than allowed' },
  unknown_model: { status: 404, exit: 3, retry: false, text: 'There is no such model' },
  budget_spent: { status: 402, exit: 4, retry: false, text: 'The budget is spent' },
  unsupported_media_type: { status: 415, exit: 2, retry: false, text: 'This content type is not accepted here' },
  invalid_bundle: { status: 422, exit: 2, retry: false, text: 'The upload is not a git bundle' },
  repository_unavailable: { status: 422, exit: 7, retry: true, text: 'The repository cannot be read' },
  too_many_calls: { status: 429, exit: 6, retry: true, text: 'Too many calls are under way' },
  no_model: { status: 422, exit: 7, retry: false, text: 'No model is configured' },
  internal: { status: 500, exit: 1, retry: true, text: 'Something failed inside Skep' },
  database_unavailable: { status: 503, exit: 6, retry: true, text: 'The database does not answer' },
  server_unavailable: { status: 503, exit: 6, retry: true, text: 'The server does not answer' },
  shutting_down: { status: 503, exit: 6, retry: true, text: 'The server is shutting down' },
  disk_full: { status: 507, exit: 6, retry: true, text: 'There is no space left on the disk' },
  failed: { status: 500, exit: 1, retry: false, text: 'It failed' },
  invalid_config: { status: 500, exit: 2, retry: false, text: 'The configuration is not valid' },
  address_in_use: { status: 500, exit: 7, retry: false, text: 'The address is in use' },
  folder_in_use: { status: 500, exit: 7, retry: false, text: 'The folder is in use' },
  database_unusable: { status: 500, exit: 7, retry: false, text: 'The database cannot be used' },
  sandbox_unavailable: { status: 500, exit: 7, retry: false, text: 'No sandbox can be made here' },
  unknown_answer: { status: 502, exit: 7, retry: false, text: 'The answer is not one that this version knows' },
} as const satisfies Record<string, FaultKind>;

export type FaultCode = keyof typeof faults;

export interface FaultDetail {
  /** What was wrong, in a sentence; the table's text when absent. */
  readonly message?: string;
  /** What to do about it, in a sentence. */
  readonly hint?: string;
  /** Fields that stand beside `error` in the answer. No secrets: they are logged and shown. */
  readonly facts?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

/** An expected refusal. A programmer's mistake is a plain Error and becomes `internal` at the edge. */
export class Fault extends Error {
  readonly code: FaultCode;
  readonly hint: string | undefined;
  readonly facts: Readonly<Record<string, unknown>>;

  constructor(code: FaultCode, detail: FaultDetail = {}) {
    super(detail.message ?? faults[code].text, detail.cause === undefined ? undefined : { cause: detail.cause });
    this.name = 'Fault';
    this.code = code;
    this.hint = detail.hint;
    this.facts = detail.facts ?? {};
  }

  get kind(): FaultKind {
    return faults[this.code];
  }
}

export function isFault(error: unknown, code?: FaultCode): error is Fault {
  return error instanceof Fault && (code === undefined || error.code === code);
}
