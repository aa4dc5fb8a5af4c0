import ts from 'typescript';
import type { Finding, Source } from './finding.ts';
import { finding, nodes, parse } from './syntax.ts';

const TYPE_NAME = /(Service|Manager|Helper|Util|Base|Impl)s?$|^(Base|Abstract)[A-Z]|^I[A-Z][a-z]/;
const FILE_NAME = /(^|[.-])(lib|common|helper|util|misc|base|impl|manager|service)s?([.-]|$)/;
const KEBAB = /^[a-z0-9]+(-[a-z0-9]+)*([.][a-z0-9-]+)*$/;

/** A name that says what a thing is for. The words refused here are drawers into which anything fits. */
export function checkTypeNames(sources: readonly Source[]): Finding[] {
  return sources.flatMap(source => {
    const parsed = parse(source);
    const named = [...nodes(parsed.tree)].filter(isNamedType);
    return named
      .filter(({ name }) => name !== undefined && TYPE_NAME.test(name.text))
      .map(node => finding(parsed, node, `${node.name?.text ?? ''}: name it after what it does in the product`));
  });
}

/** File and folder names: the same words, and kebab-case. */
export function checkFileNames(paths: readonly string[]): Finding[] {
  return paths.flatMap(path => {
    const parts = path.replace(/[.]d?[.]?ts$/, '').split('/');
    const vague = parts.find(part => FILE_NAME.test(part));
    const unlike = parts.find(part => !KEBAB.test(part));
    if (vague !== undefined)
      return [{ path, line: 0, says: `"${vague}" says nothing: name it after the one idea that it holds` }];
    return unlike === undefined ? [] : [{ path, line: 0, says: `"${unlike}" is not kebab-case` }];
  });
}

function isNamedType(node: ts.Node): node is ts.ClassDeclaration | ts.InterfaceDeclaration | ts.TypeAliasDeclaration {
  return ts.isClassDeclaration(node) || ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node);
}
