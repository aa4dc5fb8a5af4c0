import { z } from 'zod';
import { hostPattern } from './host.ts';

/** Who needs more of them wants another kind of rule. */
export const networkRulesMax = 100;

/** Of what is encrypted no method is seen, and TRACE would tell a sandbox what was sent in its name. */
const method = z
  .string()
  .regex(/^(?!CONNECT$|TRACE$)[A-Z]{1,20}$/, 'a method is named like GET or POST; CONNECT and TRACE cannot be allowed');

/** Names an entry of the worker's own file of credentials; the key itself is never in a rule. */
const credentialName = z.string().regex(/^[a-z0-9][a-z0-9_-]{0,49}$/, 'a credential is named by small letters, digits, - and _');

const port = z.number().int().min(1).max(65_535);

/**
 * What programs of a project's sandboxes may reach. A rule with methods or a credential is for plain `http://` alone: of what is encrypted
 * the worker sees neither a method nor a place for a header.
 */
export const networkRule = z
  .strictObject({
    host: hostPattern,
    port: port.optional().meta({ description: 'Absent: 80 of plain http, 443 of what is encrypted' }),
    methods: z.array(method).min(1).max(20).optional().meta({ description: 'Only these, and only of plain http' }),
    credential: credentialName
      .optional()
      .meta({ description: 'Plain http only: it is asked on by https, with this header of the worker (docs/network.md)' }),
    private: z.boolean().optional().meta({ description: 'The host may have an address of a private network or of this machine' }),
  })
  .meta({ id: 'NetworkRule' });

export const networkRules = z
  .array(networkRule)
  .max(networkRulesMax)
  .refine(rules => new Set(rules.map(ruleKey)).size === rules.length, { error: 'each host, with its port, has one rule' })
  .meta({ description: 'What its sandboxes may reach; empty: nothing' });

/** By what a rule is found again: `host` or `host:port`. */
export function ruleKey({ host, port }: Pick<NetworkRule, 'host' | 'port'>): string {
  return port === undefined ? host : `${host}:${port}`;
}

export type NetworkRule = z.infer<typeof networkRule>;
