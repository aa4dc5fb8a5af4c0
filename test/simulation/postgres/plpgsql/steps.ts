import { castBetween, type Conversion } from '../values/cast.ts';
import { coerced, type ColumnInfo, type Expr } from '../sql/expr.ts';
import type { Values } from '../sql/run.ts';
import { Compilation, type Compiler, Scope } from '../sql/scope.ts';
import { type Compiled, compileStatement } from '../sql/statement.ts';
import { as, parse, unsupported } from '../sql/tree.ts';
import type { Value } from '../storage/types.ts';
import { SqlError } from '../types.ts';
import type { Type } from '../values/types.ts';
import type { Frame, Step } from './frame.ts';
import type { Names } from './names.ts';
import { type PlBody, type PlExpr, type PlNode, textOf } from './tree.ts';

/** Where statements are compiled. */
export interface Place {
  readonly compiler: Compiler;
  readonly names: Names;
  /** Of a function that returns rows: their columns. */
  readonly fields: readonly ColumnInfo[] | undefined;
  /** What RETURN gives. */
  readonly type: Type;
}

/** Statements one after the other. */
export function sequence(nodes: readonly PlNode[] | undefined, place: Place): Step {
  const steps = (nodes ?? []).map(node => step(node, place));
  return frame => {
    for (const act of steps) {
      const signal = act(frame);
      if (signal !== undefined) return signal;
    }
    return undefined;
  };
}

function step(node: PlNode, place: Place): Step {
  const [kind = '', body = {}] = Object.entries(node)[0] ?? [];
  const make = makers[kind];
  if (make === undefined) throw unsupported(`${kind} in PL/pgSQL`);
  return make(body, place);
}

const makers: Readonly<Record<string, (body: PlBody, place: Place) => Step>> = {
  PLpgSQL_stmt_block: (body, place) => {
    if (body.exceptions !== undefined) throw unsupported('EXCEPTION in PL/pgSQL');
    return sequence(body.body, place);
  },
  PLpgSQL_stmt_assign: assign,
  PLpgSQL_stmt_if: choose,
  PLpgSQL_stmt_perform: (body, place) => {
    const statement = compiled(textOf(body.expr), place);
    return frame => found(frame, place, statement.run(frame.world, [], frame.variables).rows.length);
  },
  PLpgSQL_stmt_execsql: execute,
  PLpgSQL_stmt_fors: forRows,
  PLpgSQL_stmt_fori: forNumbers,
  PLpgSQL_stmt_exit: leave,
  PLpgSQL_stmt_return: giveBack,
  PLpgSQL_stmt_return_query: giveRows,
  PLpgSQL_stmt_getdiag: diagnose,
  PLpgSQL_stmt_raise: raise,
};

function compiled(text: string, { compiler, names }: Place): Compiled {
  const [node] = parse(text);
  if (node === undefined) throw unsupported('an empty statement');
  return compileStatement(node, compiler, names);
}

/** An expression is kept as a text, of an assignment with its left side. */
export function expression(
  expr: PlExpr | undefined,
  type: Type | undefined,
  { compiler, names }: Place,
): (frame: Frame) => Value {
  const text = textOf(expr).replace(/^\s*[\w.]+\s*:=/, '');
  const target = as(as(parse(`select ${text}`)[0], 'SelectStmt')?.targetList?.[0], 'ResTarget');
  if (target?.val === undefined) throw unsupported(`the expression ${text}`);
  const found: Expr = compiler.expression(target.val, new Scope(new Compilation(compiler, names)));
  const { eval: evaluate } = type === undefined ? found : coerced(found, type);
  return frame => evaluate(frame.run());
}

function assign({ varno = 0, expr }: PlBody, place: Place): Step {
  const evaluate = expression(expr, place.names.type(varno), place);
  return frame => {
    frame.variables[varno] = evaluate(frame);
    return undefined;
  };
}

function choose({ cond, then_body: then, elsif_list: others = [], else_body: otherwise }: PlBody, place: Place): Step {
  const branches = [{ cond, stmts: then }, ...others.map(each => each['PLpgSQL_if_elsif'] ?? {})].map(each => ({
    holds: expression(each.cond, 'bool', place),
    act: sequence(each.stmts, place),
  }));
  const last = sequence(otherwise, place);
  return frame => {
    for (const { holds, act } of branches) if (holds(frame) === true) return act(frame);
    return last(frame);
  };
}

function found(frame: Frame, { names }: Place, count: number): undefined {
  frame.affected = count;
  frame.variables[names.number('found')] = count > 0;
}

function execute({ sqlstmt, into, strict, target }: PlBody, place: Place): Step {
  const statement = compiled(textOf(sqlstmt), place);
  if (strict === true) throw unsupported('INTO STRICT');
  const take = into === true ? taking(target, statement.columns, place) : undefined;
  return frame => {
    const { rows, affected } = statement.run(frame.world, [], frame.variables);
    take?.(frame, rows[0]);
    return found(frame, place, affected);
  };
}

/** Puts a row into variables; nulls where there is none. */
function taking(target: PlNode | number | undefined, columns: readonly ColumnInfo[], place: Place) {
  const row = typeof target === 'object' ? target['PLpgSQL_row'] : undefined;
  if (row === undefined) throw unsupported('INTO a record');
  const parts = (row.fields ?? []).map(({ varno = 0 }, i) => {
    const type = columns[i]?.type ?? 'text';
    return { varno, cast: castBetween(type, place.names.type(varno)) };
  });
  return (frame: Frame, values: Values | undefined) => {
    for (const [i, { varno, cast }] of parts.entries()) frame.variables[varno] = converted(values?.[i] ?? null, cast);
  };
}

const converted = (value: Value, cast: Conversion | undefined): Value => (value === null ? null : (cast?.(value) ?? value));

function forRows({ var: variable, query, body }: PlBody, place: Place): Step {
  const name = variable?.['PLpgSQL_rec']?.refname;
  if (name === undefined) throw unsupported('a loop over rows without a record');
  const number = place.names.number(name);
  const statement = compiled(textOf(query), place);
  place.names.know(number, statement.columns);
  const act = sequence(body, place);
  return frame => {
    const { rows } = statement.run(frame.world, [], frame.variables);
    for (const row of rows) {
      frame.variables[number] = row;
      const signal = act(frame);
      if (signal === 'return') return signal;
      if (signal === 'exit') break;
    }
    return found(frame, place, rows.length);
  };
}

function forNumbers({ var: variable, lower, upper, step: by, reverse, body }: PlBody, place: Place): Step {
  if (by !== undefined || reverse === true) throw unsupported('BY and REVERSE in a loop');
  const number = place.names.number(variable?.['PLpgSQL_var']?.refname ?? '');
  const [from, to] = [expression(lower, 'int4', place), expression(upper, 'int4', place)];
  const act = sequence(body, place);
  return frame => {
    const last = to(frame) as number;
    for (let i = from(frame) as number; i <= last; i++) {
      frame.variables[number] = i;
      const signal = act(frame);
      if (signal === 'return') return signal;
      if (signal === 'exit') break;
    }
    return undefined;
  };
}

function leave({ is_exit: isExit, cond, label }: PlBody, place: Place): Step {
  if (label !== undefined) throw unsupported('labels in PL/pgSQL');
  const signal = isExit === true ? 'exit' : 'continue';
  const holds = cond && expression(cond, 'bool', place);
  return frame => (holds === undefined || holds(frame) === true ? signal : undefined);
}

function giveBack({ expr }: PlBody, place: Place): Step {
  const evaluate = expr && expression(expr, place.type === 'trigger' ? undefined : place.type, place);
  return frame => {
    if (evaluate !== undefined) frame.result = evaluate(frame);
    return 'return';
  };
}

function giveRows({ query }: PlBody, place: Place): Step {
  const { fields } = place;
  const statement = compiled(textOf(query), place);
  if (fields === undefined) throw unsupported('RETURN QUERY of no table');
  const casts = fields.map(({ type }, i) => castBetween(statement.columns[i]?.type ?? type, type));
  return frame => {
    const { rows } = statement.run(frame.world, [], frame.variables);
    for (const row of rows) frame.rows.push(row.map((value, i) => converted(value, casts[i])));
    return found(frame, place, rows.length);
  };
}

function diagnose({ diag_items: items = [] }: PlBody): Step {
  const targets = items.map(each => {
    const { kind, target = 0 } = each['PLpgSQL_diag_item'] ?? {};
    if (kind !== 'ROW_COUNT' || typeof target !== 'number') throw unsupported(`GET DIAGNOSTICS ${kind}`);
    return target;
  });
  return frame => {
    for (const target of targets) frame.variables[target] = frame.affected;
    return undefined;
  };
}

const conditions: Readonly<Record<string, string>> = { insufficient_privilege: '42501' };
const errorLevel = 21;

function raise({ message = '', options = [], elog_level: level }: PlBody, place: Place): Step {
  if (level !== errorLevel) throw unsupported('RAISE of less than an exception');
  const [option] = options;
  const code = option === undefined ? undefined : expression(option['PLpgSQL_raise_option']?.expr, 'text', place);
  return frame => {
    const name = code?.(frame) as string | undefined;
    throw new SqlError(name === undefined ? 'P0001' : (conditions[name] ?? name), message);
  };
}
