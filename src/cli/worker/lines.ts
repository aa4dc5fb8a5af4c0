import type { Claimed } from '../../../contract/runs.ts';
import type { RunEnd, WorkerChange } from '../../worker/index.ts';
import { printable } from '../output/text.ts';
import { lackText, partsText } from '../sandbox/text.ts';

/** What a worker does, one line each. */
export function asLine(change: WorkerChange): string {
  switch (change.kind) {
    case 'started':
      return [
        `sandbox    ${printable(sandboxText(change.sandbox))}`,
        ...change.lacks.map(lack => `lacking    ${printable(`${lackText(lack)}; mend: ${lack.mend}`)}`),
        ...warnings(change.sandbox),
      ].join('\n');
    case 'claimed':
      return `claimed    ${subject(change.claimed)}  attempt ${change.claimed.run.attempt}, project ${printable(change.claimed.project.name)}`;
    case 'ended':
      return `${change.end.kind.padEnd(9)}  ${subject(change.claimed)}  ${endText(change.end)}`;
    case 'server_gone':
      return `the server does not answer, trying on: ${printable(change.reason.message)}`;
    case 'server_back':
      return 'the server answers again';
    case 'sandbox_broken':
      return `no sandbox can be made any more, nothing is claimed: ${printable(change.why)}`;
    case 'sandbox_works':
      return 'sandboxes can be made again';
    case 'holding_back':
      return `runs fail here one after another, holding back: ${printable(change.why)}`;
    default:
      return 'a run got further again, going on';
  }
}

const limits = ['memory', 'processes', 'cpu', 'tmp', 'workspace'];

/** What holds here and what does not, so that nobody believes in a limit that is none. */
function sandboxText(facts: Readonly<Record<string, string>>): string {
  const of = (worth: string) => limits.filter(limit => facts[limit] === worth).join(', ');
  const parts = [
    ['enforced', of('enforced')],
    ['advisory', of('advisory')],
    ['not limited', of('none')],
    ['network', facts['network'] ?? ''],
  ];
  const told = parts.filter(([, what]) => what !== '').map(([worth, what]) => `${worth}: ${what}`);
  return [facts['engine'] ?? facts['provider'] ?? '', ...told, partsText(facts)].filter(text => text !== '').join('; ');
}

/** Who has chosen this may have forgotten it, or be another than who reads this. */
function warnings(facts: Readonly<Record<string, string>>): readonly string[] {
  if (facts['isolation'] !== 'none') return [];
  return [
    'warning    nothing is isolated: what agents run reaches the files, the network and the processes of this machine; one run at a time',
  ];
}

/** The same for programs: one JSON document a line. */
export function asJson(change: WorkerChange): string {
  switch (change.kind) {
    case 'started':
      return JSON.stringify({ event: 'started', sandbox: change.sandbox, lacks: change.lacks });
    case 'claimed':
      return JSON.stringify({ event: 'claimed', ...names(change.claimed), attempt: change.claimed.run.attempt });
    case 'ended':
      return JSON.stringify({ event: change.end.kind, ...names(change.claimed), ...endFields(change.end) });
    case 'server_gone':
      return JSON.stringify({ event: change.kind, message: change.reason.message });
    case 'sandbox_broken':
    case 'holding_back':
      return JSON.stringify({ event: change.kind, message: change.why });
    default:
      return JSON.stringify({ event: change.kind });
  }
}

/** How a run ended, in one line. */
export function endText(end: RunEnd): string {
  switch (end.kind) {
    case 'submitted':
      return printable(`${end.result.summary || 'changes'}${place(end.result)}`);
    case 'parked':
      return printable(end.halt.message);
    case 'failed':
      return `${end.failure.class}: ${printable(end.failure.message.trim())}`;
    default:
      return printable(end.reason.message);
  }
}

/** Where the work is; a review has none. */
function place({ branch, head = '' }: { branch?: string | undefined; head?: string | undefined }): string {
  return branch === undefined ? '' : ` on ${branch} at ${head.slice(0, 12)}`;
}

function endFields(end: RunEnd): object {
  switch (end.kind) {
    case 'submitted':
      return { result: end.result };
    case 'parked':
      return { result: end.result, message: end.halt.message, question_id: end.halt.question_id };
    case 'failed':
      return { class: end.failure.class, message: end.failure.message };
    default:
      return { message: end.reason.message };
  }
}

function names({ run, subject }: Claimed): object {
  return { run_id: run.id, subject };
}

/** Checks and conflicts are told with the ticket that they are about. */
function subject({ run, subject, ticket }: Claimed): string {
  const what = subject.type === 'ticket' ? subject.id : `${ticket?.id ?? 'base'} ${subject.type}`;
  return `${what} (run ${run.id.slice(0, 8)})`;
}
