import { CommanderError } from 'commander';
import { Fault, isFault } from '../kernel/fault.ts';
import type { Output } from './world.ts';
import { printable } from './output/text.ts';

interface Issue {
  readonly path: string;
  readonly message: string;
}

/** Thrown by a command that Ctrl-C has ended in good order. Exit code 130, and nothing is printed. */
export class Interrupted extends Error {}

/** Thrown by a command that has said itself what came of it. Nothing more is printed. */
export class Concluded extends Error {
  readonly exitCode: number;

  constructor(exitCode: number) {
    super();
    this.exitCode = exitCode;
  }
}

/** Prints why a command failed and returns its exit code. The one place where a fault becomes an exit code. */
export function reportFailure(error: unknown, err: Output, json: boolean): number {
  if (error instanceof CommanderError && error.exitCode === 0) return 0;
  // Help that was not asked for: `skep ticket` alone. It has been printed already.
  if (error instanceof CommanderError && error.code === 'commander.help') return 2;
  if (error instanceof Interrupted) return 130;
  if (error instanceof Concluded) return error.exitCode;
  const fault = asFault(error);
  const hint = fault.hint ?? hints[fault.code];
  const facts = withoutKnown(fault.facts);
  if (json)
    err.write(
      `${JSON.stringify({ error: fault.message, code: fault.code, ...(hint === undefined ? {} : { hint }), ...facts })}\n`,
    );
  else err.write(asText(fault, hint));
  return fault.kind.exit;
}

/** What helps with a refusal that names no cure itself. */
const hints: Readonly<Partial<Record<string, string>>> = {
  unauthenticated:
    "Give the token: 'export SKEP_TOKEN=…', --token-file PATH or --token TOKEN. 'skep start' showed the first one when it started for the first time; an admin makes more with 'skep token create'",
  forbidden: "Ask an admin for a token of another role: 'skep token create --role member NAME'",
  server_unavailable: "Start it with 'skep start', or say where it is with --server URL or SKEP_SERVER",
  internal: 'This is a mistake in Skep, not in what you typed; the log of the server, or SKEP_LOG_LEVEL=debug, tells more',
};

function asText(fault: Fault, hint: string | undefined): string {
  const lines = [`error: ${printable(fault.message, { keepNewlines: true })}`];
  for (const issue of issuesOf(fault))
    lines.push(`  ${printable(issue.path === '' ? issue.message : `${issue.path}: ${issue.message}`)}`);
  if (hint !== undefined) lines.push(`  hint: ${printable(hint, { keepNewlines: true })}`);
  return `${lines.join('\n')}\n`;
}

function issuesOf(fault: Fault): readonly Issue[] {
  const issues = fault.facts['issues'];
  return Array.isArray(issues) ? (issues as Issue[]) : [];
}

/** The body of a refusal may stand in the facts with these again. */
function withoutKnown(facts: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { error: _error, code: _code, hint: _hint, ...rest } = facts;
  return rest;
}

function asFault(error: unknown): Fault {
  if (isFault(error)) return error;
  if (error instanceof CommanderError) return fromCommander(error);
  return new Fault('internal', { message: error instanceof Error ? error.message : String(error), cause: error });
}

/** Commander says `error: unknown command 'tickt'\n(Did you mean ticket?)`: the second line is a hint. */
function fromCommander(error: CommanderError): Fault {
  const [message = '', ...more] = error.message.replace(/^error: /, '').split('\n');
  const suggestion = more.join(' ').replace(/^\((.*)\)$/, '$1');
  return new Fault('invalid_request', { message, hint: suggestion === '' ? 'Try --help' : suggestion });
}
