import { leaseHeader } from '../../../contract/runs.ts';
import { faultOfAnswer, faultOfNetwork } from '../../client/index.ts';
import type { Client } from '../../client/index.ts';
import type { LeaseKey } from '../client.ts';

/** Where git fetches the commits of a run from, and what it must say there. */
export interface Remote {
  readonly url: string;
  /** Secret: they go to this address and to no other. */
  readonly headers: Readonly<Record<string, string>>;
}

const askTimeoutMs = 30_000;

export async function remoteOf(client: Client, { runId, token }: LeaseKey): Promise<Remote> {
  const { server, headers } = await client.access();
  return { url: `${server}/api/runs/${runId}/repository`, headers: { ...headers, [leaseHeader]: token } };
}

/**
 * Whether the server would serve the repository: git's own words don't tell an outage from a refusal. Resolves where it would;
 * throws the Fault that the server names, `server_unavailable`, or the signal's reason.
 */
export async function askServer({ url, headers }: Remote, signal: AbortSignal): Promise<void> {
  const limit = new AbortController();
  const end = (): void => limit.abort();
  const timeout = AbortSignal.timeout(askTimeoutMs);
  for (const each of [signal, timeout]) each.addEventListener('abort', end, { once: true });
  try {
    signal.throwIfAborted();
    const answer = await fetch(`${url}/info/refs?service=git-upload-pack`, { headers, redirect: 'error', signal: limit.signal });
    const text = await answer.text();
    if (!answer.ok) throw faultOfAnswer(answer, text);
  } catch (error) {
    signal.throwIfAborted();
    throw faultOfNetwork(error, { server: new URL(url).origin, timeoutMs: askTimeoutMs, timedOut: timeout.aborted });
  } finally {
    signal.removeEventListener('abort', end);
  }
}

/**
 * Settings of git that reach this address and nothing else. They pass through the environment: a process list shows command
 * lines to everyone. No proxy is asked, as for the worker's own calls: git would find one in the environment.
 */
export function reaching({ url, headers }: Remote): Record<string, string> {
  const settings = [
    ...Object.entries(headers).map(([name, value]) => [`http.${url}.extraHeader`, `${name}: ${value}`]),
    ['http.followRedirects', 'false'],
    ['http.proxy', ''],
    ['credential.helper', ''],
  ];
  const named = settings.flatMap(([key = '', value = ''], i) => [
    [`GIT_CONFIG_KEY_${i}`, key],
    [`GIT_CONFIG_VALUE_${i}`, value],
  ]);
  return {
    GIT_ALLOW_PROTOCOL: 'http:https',
    GIT_CONFIG_COUNT: String(settings.length),
    ...(Object.fromEntries(named) as Record<string, string>),
  };
}
