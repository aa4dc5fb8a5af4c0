import type { ColumnInfo, Expr } from '../sql/expr.ts';
import type { Values } from '../sql/run.ts';
import type { Variables } from '../sql/scope.ts';
import { typeNamed, type Type } from '../values/types.ts';
import type { PlFunction } from './tree.ts';

/** The variables of a function, by the parser's numbers. */
export class Names implements Variables {
  readonly #names: readonly (string | undefined)[];
  readonly #types: readonly (Type | undefined)[];
  /** Of records: known once it is known of what. */
  readonly #fields = new Map<number, readonly ColumnInfo[]>();
  readonly #parameters: readonly string[];

  /** `parameters`: types by name, which the parser's tree of the body does not say in full. */
  constructor({ datums }: PlFunction, parameters: readonly ColumnInfo[]) {
    const variables = datums.map(datum => datum['PLpgSQL_var']);
    this.#names = datums.map(datum => (datum['PLpgSQL_var'] ?? datum['PLpgSQL_rec'])?.refname);
    this.#types = variables.map((variable, i) => {
      if (variable === undefined) return undefined;
      const known = i < parameters.length ? parameters[i]?.type : undefined;
      return known ?? typeNamed(variable.datatype?.PLpgSQL_type.typname ?? 'text');
    });
    this.#parameters = parameters.map(parameter => parameter.name);
  }

  /** The inner one, where several have the name. */
  number(name: string): number {
    const found = this.#names.lastIndexOf(name);
    if (found < 0) throw new Error(`there is no variable ${name}`);
    return found;
  }

  type(number: number): Type {
    return this.#types[number] ?? 'record';
  }

  know(number: number, fields: readonly ColumnInfo[]): void {
    this.#fields.set(number, fields);
  }

  lookup([first = '', second]: readonly string[]): Expr | undefined {
    const number = this.#names.lastIndexOf(first);
    if (number < 0) return undefined;
    if (second === undefined) return { type: this.type(number), eval: x => x.variables[number] };
    const fields = this.#fields.get(number) ?? [];
    const at = fields.findIndex(field => field.name === second);
    if (at < 0) return undefined;
    return { type: fields[at]?.type ?? 'text', eval: x => (x.variables[number] as Values | null)?.[at] ?? null };
  }

  parameter(number: number): Expr | undefined {
    const name = this.#parameters[number - 1];
    return name === undefined ? undefined : this.lookup([name]);
  }
}
