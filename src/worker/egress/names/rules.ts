import type { NetworkRule } from '../../../../contract/network/rules.ts';
import type { RefusalReason } from '../../../../contract/network/refusals.ts';
import { parseTarget } from './target.ts';
import type { Target } from './target.ts';

/** `CONNECT` for what is encrypted. */
export interface Asked {
  readonly target: Target;
  readonly method: string;
}

export type Judgement = { readonly rule: NetworkRule } | { readonly refused: RefusalReason };

/** The rule that is nearest to what is asked decides alone: a host of its own goes before all below a domain, a port before none. */
export function judge(rules: readonly NetworkRule[], { target, method }: Asked): Judgement {
  const isEncrypted = method === 'CONNECT';
  const ofHost = rules.filter(rule => names(rule.host, target));
  if (ofHost.length === 0) return { refused: 'host' };
  const usual = isEncrypted ? 443 : 80;
  const [rule] = ofHost.filter(({ port = usual }) => port === target.port).sort((one, other) => nearness(other) - nearness(one));
  if (rule === undefined) return { refused: 'port' };
  if (isEncrypted) return rule.methods === undefined && rule.credential === undefined ? { rule } : { refused: 'encrypted' };
  // Whoever answers TRACE says what was sent, with the worker's own header in it.
  const isAllowed = method !== 'TRACE' && (rule.methods?.includes(method) ?? true);
  return isAllowed ? { rule } : { refused: 'method' };
}

function names(pattern: string, { host, isAddress }: Target): boolean {
  if (isAddress) return parseTarget(pattern, 1)?.host === host;
  return pattern.startsWith('*.') ? host.endsWith(pattern.slice(1)) && host.length > pattern.length - 1 : host === pattern;
}

function nearness({ host, port }: NetworkRule): number {
  const ofHost = host.startsWith('*.') ? host.length : 1_000;
  return ofHost * 2 + (port === undefined ? 0 : 1);
}
