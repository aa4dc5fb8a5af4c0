import type { ServerResponse } from 'node:http';
import { Fault, isFault } from '../../kernel/fault.ts';
import type { Log } from '../../kernel/log.ts';
import type { SandboxProvider } from '../sandbox.ts';
import { execRequest, outputBytesMax } from './wire.ts';
import type { ExecLine, ExecRequest } from './wire.ts';

interface Parts {
  readonly sandboxes: Pick<SandboxProvider, 'get'>;
  readonly log: Log;
}

interface Asked {
  readonly body: unknown;
  readonly response: ServerResponse;
}

/**
 * Runs a command beside what runs in a sandbox, and answers with what it prints as it prints it. Whoever asked and goes away ends it.
 * Throws Fault `sandbox_not_found`, `invalid_request`; what is wrong later is the last line of the answer.
 */
export async function execute({ sandboxes, log }: Parts, { body, response }: Asked): Promise<void> {
  const { id, argv, cwd, timeout_ms: timeoutMs, stdin } = parsed(body);
  const sandbox = sandboxes.get(id);
  if (sandbox === undefined) throw new Fault('sandbox_not_found', { message: `This worker has no sandbox ${id}` });
  const [program = '', ...rest] = argv;
  log.info({ sandbox: id, program }, 'a person runs a command in a sandbox');
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  response.writeHead(200, { 'content-type': 'application/x-ndjson' });
  response.flushHeaders();
  const say = (line: ExecLine): void => void response.write(`${JSON.stringify(line)}\n`);
  try {
    const exit = await sandbox.exec({
      ...{ argv: [program, ...rest], timeoutMs, outputBytesMax, signal: gone.signal },
      ...(cwd === undefined ? {} : { cwd }),
      ...(stdin === undefined ? {} : { stdin: Buffer.from(stdin, 'base64') }),
      onOutput: (stream, chunk) =>
        say(stream === 'stdout' ? { stdout: chunk.toString('base64') } : { stderr: chunk.toString('base64') }),
    });
    say({ exit });
  } catch (error) {
    const fault = isFault(error) ? error : new Fault('internal', { message: String(error), cause: error });
    const { message, code, hint } = fault;
    say({ error: message, code, ...(hint === undefined ? {} : { hint }) });
  }
  response.end();
}

function parsed(body: unknown): ExecRequest {
  const { success, data, error } = execRequest.safeParse(body);
  if (success) return data;
  const [issue] = error.issues;
  throw new Fault('invalid_request', { message: `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'is not valid'}` });
}
