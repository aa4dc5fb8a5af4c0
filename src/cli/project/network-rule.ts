import { networkRule, ruleKey } from '../../../contract/network/rules.ts';
import type { NetworkRule } from '../../../contract/network/rules.ts';
import { usage } from '../command.ts';

const hint = 'Such as: registry.example.org, *.example.org, registry.example.org:8443 or 10.0.0.7';

/** A host as people type it, with its port where one is named. Throws Fault `invalid_request` that says what is wrong with it. */
export function placeOf(typed: string): Pick<NetworkRule, 'host' | 'port'> {
  if (typed.includes('/')) throw usage(`'${typed}' is no host: leave out what stands before and behind the name`, hint);
  const [, named = '', port] = /^(\[[^\]]*\]|[^:]*)(?::(\d{1,6}))?$/.exec(typed.trim()) ?? [];
  if (named === '') throw usage(`'${typed}' is no host with a port`, hint);
  const host = `${named.startsWith('*.') ? '*.' : ''}${inOneForm(named.replace(/^\*\./, ''), typed)}`;
  const place = { host, ...(port === undefined ? {} : { port: Number(port) }) };
  const parsed = networkRule.safeParse(place);
  if (!parsed.success) throw usage(`'${typed}' is no host: ${parsed.error.issues[0]?.message ?? ''}`, hint);
  return place;
}

/** Small letters, punycode, no last dot. A number is not made an address: who means one says it. */
function inOneForm(name: string, typed: string): string {
  const undotted = name.endsWith('.') ? name.slice(0, -1) : name;
  if (/[^\p{L}\p{N}\p{M}._:[\]-]/u.test(undotted) || !URL.canParse(`http://${undotted}/`))
    throw usage(`'${typed}' is no host`, hint);
  const { hostname } = new URL(`http://${undotted}/`);
  if (/^[\d.]+$/.test(hostname) && hostname !== undotted)
    throw usage(`'${typed}' is another way to write the address ${hostname}`, `Say ${hostname} where you mean it`);
  return hostname;
}

export interface RuleOptions {
  readonly method?: readonly string[];
  readonly credential?: string;
  readonly private?: boolean;
}

/** The rule that was typed. */
export function ruleOf(typed: string, { method, credential, private: isPrivate = false }: RuleOptions): NetworkRule {
  const rule = {
    ...placeOf(typed),
    ...(method === undefined ? {} : { methods: [...new Set(method.map(each => each.toUpperCase()))].sort() }),
    ...(credential === undefined ? {} : { credential }),
    ...(isPrivate ? { private: true } : {}),
  };
  const parsed = networkRule.safeParse(rule);
  if (parsed.success) return parsed.data;
  throw usage(parsed.error.issues[0]?.message ?? 'That is no rule');
}

/** What a rule allows, in a line. */
export function ruleText(rule: NetworkRule): string {
  const { methods, credential } = rule;
  const isPlain = methods !== undefined || credential !== undefined;
  return [
    ruleKey(rule),
    isPlain ? `plain http only${methods === undefined ? '' : `, ${methods.join(' ')}`}` : undefined,
    credential === undefined ? undefined : `with the credential ${credential}`,
    rule.private === true ? 'also in a private network' : undefined,
  ]
    .filter(part => part !== undefined)
    .join(', ');
}

/** The command that makes this rule. */
export function allowCommand(project: string, rule: NetworkRule): string {
  const { methods = [], credential } = rule;
  const options = [
    ...methods.map(method => `--method ${method}`),
    ...(credential === undefined ? [] : [`--credential ${credential}`]),
    ...(rule.private === true ? ['--private'] : []),
  ];
  return ['skep project network allow', quoted(project), quoted(ruleKey(rule)), ...options].join(' ');
}

/** For a shell. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
