import type { Node } from '@libpg-query/parser';
import type { ColumnInfo } from '../sql/expr.ts';
import type { Compiler, StoredCall, Variables } from '../sql/scope.ts';
import { compileStatement } from '../sql/statement.ts';
import { as, type Body, must, parse, parsePlpgsql, unsupported } from '../sql/tree.ts';
import type { StoredFunction, Value } from '../storage/types.ts';
import { typeOf, type Type } from '../values/types.ts';
import { Frame } from './frame.ts';
import { Names } from './names.ts';
import { expression, sequence } from './steps.ts';
import type { PlFunction } from './tree.ts';

interface Parameter extends ColumnInfo {
  readonly isIn: boolean;
  readonly isOut: boolean;
  readonly default: Node | undefined;
}

interface Signature {
  readonly parameters: readonly Parameter[];
  readonly type: Type;
  readonly fields: readonly ColumnInfo[] | undefined;
  readonly tree: Body<'CreateFunctionStmt'>;
}

/** A function of the schema. What it takes is read now, and its body compiled when it is first called. */
export function storedFunction(stored: StoredFunction, compiler: Compiler): StoredCall {
  const signature = signatureOf(stored.text);
  const { parameters, type, fields, tree } = signature;
  let body: StoredCall['call'] | undefined;
  const compile = () => (stored.language === 'sql' ? sqlBody(signature, compiler) : plBody(stored.text, signature, compiler));
  return {
    parameters: parameters.filter(parameter => parameter.isIn),
    type,
    returnsSet: tree.returnType?.setof === true,
    fields,
    call: (x, args) => {
      body ??= compile();
      return body(x, args);
    },
  };
}

function signatureOf(text: string): Signature {
  const tree = must(parse(text)[0], 'CreateFunctionStmt');
  const parameters = (tree.parameters ?? []).map(node => {
    const { name = '', argType, mode, defexpr } = must(node, 'FunctionParameter');
    if (argType === undefined) throw unsupported('a parameter without a type');
    const isOut = mode === 'FUNC_PARAM_OUT' || mode === 'FUNC_PARAM_TABLE';
    return { name, type: typeOf(argType), isIn: !isOut, isOut, default: defexpr };
  });
  const out = parameters.filter(parameter => parameter.isOut).map(({ name, type }) => ({ name, type }));
  const type = tree.returnType === undefined ? 'void' : typeOf(tree.returnType);
  return { parameters, type, fields: out.length > 0 ? out : undefined, tree };
}

function sqlBody({ parameters, type, tree, fields }: Signature, compiler: Compiler): StoredCall['call'] {
  const variables: Variables = {
    lookup: ([first]) => {
      const at = parameters.findIndex(parameter => parameter.name === first);
      return at < 0 ? undefined : { type: parameters[at]?.type ?? 'text', eval: x => x.variables[at] };
    },
    parameter: number => {
      const found = parameters[number - 1];
      return found === undefined ? undefined : { type: found.type, eval: x => x.variables[number - 1] };
    },
  };
  const result = as(tree.sql_body, 'ReturnStmt')?.returnval;
  const node = result === undefined ? parse(bodyText(tree))[0] : { SelectStmt: { targetList: [{ ResTarget: { val: result } }] } };
  if (node === undefined) throw unsupported('a function without a body');
  const statement = compileStatement(node, compiler, variables);
  const [column] = statement.columns;
  if (fields === undefined && column?.type !== type) throw unsupported(`a function that returns ${column?.type} as ${type}`);
  return (x, args) => statement.run(x.world, [], args).rows;
}

function bodyText({ options = [] }: Body<'CreateFunctionStmt'>): string {
  const text = options.map(node => must(node, 'DefElem')).find(option => option.defname === 'as');
  return must(must(text?.arg, 'List').items?.[0], 'String').sval ?? '';
}

export function parsedBody(text: string): PlFunction {
  const parsed = parsePlpgsql(text) as { plpgsql_funcs: { PLpgSQL_function: PlFunction }[] };
  const [first] = parsed.plpgsql_funcs;
  if (first === undefined) throw unsupported('an empty function');
  return first.PLpgSQL_function;
}

function plBody(text: string, signature: Signature, compiler: Compiler): StoredCall['call'] {
  const { parameters, type, fields, tree } = signature;
  const parsed = parsedBody(text);
  const names = new Names(parsed, parameters);
  const place = { compiler, names, fields, type };
  const begin = declarations(parsed, names, compiler);
  const act = sequence([parsed.action], place);
  const given = parameters.flatMap((parameter, i) => (parameter.isIn ? [i] : []));
  const out = parameters.flatMap((parameter, i) => (parameter.isOut ? [i] : []));
  return (x, args) => {
    const variables: Value[] = parsed.datums.map(() => null);
    for (const [i, number] of given.entries()) variables[number] = args[i];
    const frame = new Frame(x.world, variables);
    begin(frame);
    act(frame);
    if (tree.returnType?.setof === true) return frame.rows;
    return fields === undefined ? [[type === 'void' ? '' : frame.result]] : [out.map(number => variables[number])];
  };
}

/** Gives what is declared its first values. */
export function declarations({ datums }: PlFunction, names: Names, compiler: Compiler): (frame: Frame) => void {
  const place = { compiler, names, fields: undefined, type: 'void' };
  const found = names.number('found');
  const firsts = datums.flatMap((datum, number) => {
    const variable = datum['PLpgSQL_var'];
    if (variable?.default_val === undefined) return [];
    return [{ number, evaluate: expression(variable.default_val, names.type(number), place) }];
  });
  return frame => {
    frame.variables[found] = false;
    for (const { number, evaluate } of firsts) frame.variables[number] = evaluate(frame);
  };
}
