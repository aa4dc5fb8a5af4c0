import { type Fields, fieldsOf, isGiven, listOf, textOf } from '../model/json.ts';
import type { Problem } from './format.ts';
import { refuseFields, refuseTools } from './hosted.ts';

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
  return isGiven(tier) && !plainTiers.has(tier)
    ? `service_tier ${JSON.stringify(tier).slice(0, 50)} has a price of its own that the gateway does not count: leave it out`
    : undefined;
}

/** At the price of the table, or below it. */
const plainTiers: ReadonlySet<unknown> = new Set(['auto', 'default', 'flex', 'standard']);

/** Tools of the provider itself, and what servers in front of several models take: other models, other places, searches. */
export function refuseHosted(body: Fields): string | undefined {
  return refuseFields(body, hostedFields) ?? refuseTools([...listOf(body['tools']), ...foundTools(body)], hostedTool);
}

const hostedFields = [
  ...['web_search_options', 'plugins', 'models', 'fallbacks', 'route', 'provider', 'preset'],
  ...['api_base', 'base_url', 'api_key', 'mcp_servers'],
];

/** Tools that came in by a search among the tools stand in the input. */
function foundTools(body: Fields): readonly unknown[] {
  return listOf(body['input']).flatMap(item => listOf(fieldsOf(item)?.['tools']));
}

function hostedTool({ type, environment, tools }: Fields): string | undefined {
  if (type === 'namespace')
    return listOf(tools)
      .map(tool => hostedTool({ ...fieldsOf(tool), tools: [] }))
      .find(kind => kind !== undefined);
  if (type === 'shell' && [undefined, 'local'].includes(fieldsOf(environment)?.['type'] as string | undefined)) return undefined;
  return type === undefined || ownTools.has(type) ? undefined : (textOf(type) ?? 'without a name');
}

/** Those that the client runs; a namespace has functions in it, and a search among the tools themselves costs nothing. */
const ownTools: ReadonlySet<unknown> = new Set([
  ...['function', 'custom', 'local_shell', 'apply_patch', 'tool_search', 'computer', 'computer_use_preview'],
]);
