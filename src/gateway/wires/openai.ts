import type { Fields } from '../model/json.ts';
import type { Problem } from './format.ts';

/** What OpenAI's two wires have in common. */
export function openAiError({ status, code, message }: Problem): object {
  return { error: { message, type: typeOf(status), param: null, code } };
}

function typeOf(status: number): string {
  if (status === 401) return 'authentication_error';
  if (status === 402) return 'billing_error';
  if (status === 403) return 'permission_error';
  if (status === 429) return 'rate_limit_error';
  return status < 500 ? 'invalid_request_error' : 'server_error';
}

export function refuseTier(body: Fields): string | undefined {
  const tier = body['service_tier'];
  return tier === 'priority' || tier === 'fast'
    ? `service_tier "${tier}" has a price of its own that the gateway does not count: leave it out`
    : undefined;
}
