import type { Column } from '../types.ts';
import { parseExpression } from './source.ts';
import { child, list, names, number, text } from './tree.ts';

/** As format_type says them, by the parser's names. */
const typeNames: Readonly<Record<string, string>> = {
  bool: 'boolean',
  float8: 'double precision',
  int2: 'smallint',
  int4: 'integer',
  int8: 'bigint',
  timestamptz: 'timestamp with time zone',
};

export interface ReadColumn extends Column {
  /** The sequence of an identity column. */
  readonly sequence: string | undefined;
}

export function readColumn(table: string, tree: unknown): ReadColumn {
  const name = text(tree, 'colname');
  const constraints = list(tree, 'constraints').map(entry => child(entry, 'Constraint'));
  const of = (kind: string) => constraints.find(constraint => text(constraint, 'contype') === kind);
  const sequence = of('CONSTR_IDENTITY') === undefined ? undefined : `${table.replace(/^.*[.]/, '')}_${name}_seq`;
  return {
    name,
    type: typeOf(child(tree, 'typeName')),
    isNotNull: of('CONSTR_NOTNULL') !== undefined || sequence !== undefined,
    default: sequence === undefined ? child(of('CONSTR_DEFAULT'), 'raw_expr') : parseExpression(`nextval('${sequence}')`),
    sequence,
  };
}

/** `timestamp(3) with time zone`, `text[]`. */
function typeOf(tree: unknown): string {
  const bare = names(tree, 'names').at(-1) ?? '';
  const name = typeNames[bare] ?? bare;
  const modifiers = list(tree, 'typmods').map(entry => number(entry, 'A_Const', 'ival', 'ival'));
  const whole = modifiers.length === 0 ? name : name.replace(/^\w+/, first => `${first}(${modifiers.join(',')})`);
  return list(tree, 'arrayBounds').length > 0 ? `${whole}[]` : whole;
}
