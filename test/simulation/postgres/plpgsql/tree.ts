/** The parser's tree of a PL/pgSQL function, as far as it is looked at. Numbers that are 0 are left out in it. */
export interface PlFunction {
  readonly datums: readonly PlNode[];
  readonly action: PlNode;
  readonly new_varno?: number;
  readonly old_varno?: number;
}

export type PlNode = Readonly<Partial<Record<string, PlBody>>>;

export interface PlBody {
  readonly refname?: string;
  readonly fieldname?: string;
  readonly datatype?: { readonly PLpgSQL_type: { readonly typname: string } };
  readonly default_val?: PlExpr;
  readonly varno?: number;
  readonly fields?: readonly { readonly name: string; readonly varno?: number }[];
  readonly expr?: PlExpr;
  readonly cond?: PlExpr;
  readonly query?: PlExpr;
  readonly sqlstmt?: PlExpr;
  readonly lower?: PlExpr;
  readonly upper?: PlExpr;
  readonly step?: PlExpr;
  readonly reverse?: boolean;
  readonly into?: boolean;
  readonly strict?: boolean;
  readonly target?: PlNode | number;
  readonly var?: PlNode;
  readonly body?: readonly PlNode[];
  readonly then_body?: readonly PlNode[];
  readonly elsif_list?: readonly PlNode[];
  readonly else_body?: readonly PlNode[];
  readonly stmts?: readonly PlNode[];
  readonly exceptions?: unknown;
  readonly is_exit?: boolean;
  readonly label?: string;
  readonly diag_items?: readonly PlNode[];
  readonly kind?: string;
  readonly message?: string;
  readonly options?: readonly PlNode[];
  readonly elog_level?: number;
}

export interface PlExpr {
  readonly PLpgSQL_expr: { readonly query: string };
}

export const textOf = (expr: PlExpr | undefined): string => expr?.PLpgSQL_expr.query ?? '';
