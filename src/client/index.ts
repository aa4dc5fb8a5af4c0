import { z } from 'zod';
import type { Clock } from '../kernel/clock.ts';
import { Fault } from '../kernel/fault.ts';
import { faultOfAnswer, faultOfNetwork, withoutLogin } from './answer.ts';
import { withDeadline } from './deadline.ts';

export { faultOfAnswer, faultOfNetwork } from './answer.ts';
export { backoffMs, retrying } from './retry.ts';
export type { Access, Client, ClientOptions, RequestOptions };

interface ClientOptions {
  /** Where the server is, such as http://127.0.0.1:8080; a path in front of /api is kept, a name and a password are not. */
  readonly server: string;
  /** The bearer token. It is in no log line and in no error. Over http:// it crosses the network readable: see docs. */
  readonly token?: string | undefined;
  readonly clock: Clock;
}

interface RequestOptions<T> {
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Sent as it is; a function, so that a repeated call can begin it anew. */
  readonly raw?: { readonly type: string; readonly content: () => ReadableStream<Uint8Array> | Uint8Array };
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>> | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  /** What the answer must be: parsed JSON, text where the server says text/…, undefined for 204. */
  readonly schema: z.ZodType<T>;
  readonly signal?: AbortSignal | undefined;
  /** From the first byte sent to the last byte read; 30 s by default. */
  readonly timeoutMs?: number;
}

interface Client {
  /**
   * One call of the API, without a retry. `path` begins with a slash, such as /api/tickets. Throws the Fault that the server
   * names, `server_unavailable` where it does not answer in time, and the signal's reason when that is aborted.
   */
  request<T>(method: string, path: string, options: RequestOptions<T>): Promise<T>;
  /** For a program that makes calls of its own, such as git. Throws where no token can be had. */
  access(): Promise<Access>;
}

interface Access {
  /** Such as http://127.0.0.1:8080: without a slash at its end, without a name and a password. */
  readonly server: string;
  /** What every call carries. A secret. */
  readonly headers: Readonly<Record<string, string>>;
}

export function createClient({ server, token, clock }: ClientOptions): Client {
  const origin = withoutLogin(server).replace(/\/+$/, '');
  const authorization: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };

  async function request<T>(method: string, path: string, options: RequestOptions<T>): Promise<T> {
    const { signal, timeoutMs = 30_000 } = options;
    signal?.throwIfAborted();
    const url = `${origin}${path}${search(options.query)}`;
    return withDeadline({ clock, timeoutMs, signal }, async (limit): Promise<T> => {
      try {
        const answer = await fetch(url, {
          ...message(method, options),
          headers: { ...headersOf(options), ...authorization },
          signal: limit,
        });
        const text = await answer.text();
        if (!answer.ok) throw faultOfAnswer(answer, text);
        return parsed(options.schema, { method, path, content: contentOf(answer, text) });
      } catch (error) {
        signal?.throwIfAborted();
        throw faultOfNetwork(error, { server: origin, timeoutMs, timedOut: limit.aborted });
      }
    });
  }

  return { request, access: () => Promise.resolve({ server: origin, headers: authorization }) };
}

// Redirects are refused: the lease header and the body would follow to a host that was never named.
function message(method: string, { body, raw }: RequestOptions<unknown>): RequestInit {
  const content = raw === undefined ? undefined : raw.content();
  if (content !== undefined) return { method, redirect: 'error', body: content, duplex: 'half' };
  return { method, redirect: 'error', ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
}

function headersOf({ body, raw, headers }: RequestOptions<unknown>): Record<string, string> {
  const type = raw?.type ?? (body === undefined ? undefined : 'application/json');
  return {
    ...(type === undefined ? {} : { 'content-type': type }),
    ...headers,
  };
}

function search(query: RequestOptions<unknown>['query'] = {}): string {
  const given = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) if (value !== undefined) given.set(key, String(value));
  return given.size === 0 ? '' : `?${given.toString()}`;
}

function contentOf(answer: Response, text: string): unknown {
  if (answer.status === 204 || text === '') return answer.headers.get('content-type')?.startsWith('text/') ? text : undefined;
  return answer.headers.get('content-type')?.startsWith('text/') ? text : JSON.parse(text);
}

function parsed<T>(schema: z.ZodType<T>, { method, path, content }: { method: string; path: string; content: unknown }): T {
  const result = schema.safeParse(content);
  if (result.success) return result.data;
  throw new Fault('unknown_answer', {
    message: `The server's answer to ${method} ${path} is not one that this version knows: ${z.prettifyError(result.error)}`,
  });
}
