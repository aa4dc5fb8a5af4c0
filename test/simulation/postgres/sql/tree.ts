import { loadModule, type Node, parsePlPgSQLSync, parseSync } from '@libpg-query/parser';

await loadModule();

type NameOf<N> = N extends unknown ? keyof N : never;
export type NodeName = NameOf<Node>;
type Of<N, K extends NodeName> = N extends Readonly<Record<K, infer B>> ? B : never;
export type Body<K extends NodeName> = Of<Node, K>;

/** The node's content where it is one of this name. */
export function as<K extends NodeName>(node: Node | undefined, name: K): Body<K> | undefined {
  return (node as Partial<Record<NodeName, unknown>> | undefined)?.[name] as Body<K> | undefined;
}

/** The same where it can be nothing else. */
export function must<K extends NodeName>(node: Node | undefined, name: K): Body<K> {
  const body = as(node, name);
  if (body === undefined) throw unsupported(`${nameOf(node)} where ${name} is expected`);
  return body;
}

export function nameOf(node: Node | undefined): string {
  return node === undefined ? 'nothing' : (Object.keys(node)[0] ?? 'nothing');
}

export function unsupported(what: string): Error {
  return new Error(`the memory PostgreSQL does not know ${what}`);
}

export const strings = (nodes: readonly Node[] | undefined): string[] =>
  (nodes ?? []).map(node => must(node, 'String').sval ?? '');

/** The statements of a text; throws a plain Error where it is no SQL. */
export function parse(text: string): Node[] {
  return (parseSync(text).stmts ?? []).flatMap(({ stmt }) => (stmt === undefined ? [] : [stmt]));
}

export function parsePlpgsql(text: string): unknown {
  return parsePlPgSQLSync(text);
}

/** The terms of a condition: all of them must be true. */
export function conjuncts(node: Node | undefined): Node[] {
  if (node === undefined) return [];
  const both = as(node, 'BoolExpr');
  return both?.boolop === 'AND_EXPR' ? (both.args ?? []).flatMap(conjuncts) : [node];
}
