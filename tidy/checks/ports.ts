import ts from 'typescript';
import type { Finding, Source } from './finding.ts';
import { finding, nodes, parse } from './syntax.ts';

const METHODS_MAX = 7;

/** A port that a stranger can implement in an afternoon. `sources` are files that hold ports. */
export function checkPorts(sources: readonly Source[]): Finding[] {
  return sources.flatMap(source => {
    const parsed = parse(source);
    return [...nodes(parsed.tree)].filter(ts.isInterfaceDeclaration).flatMap(port => {
      const count = port.members.filter(isMethod).length;
      return count > METHODS_MAX
        ? [finding(parsed, port, `${port.name.text} has ${count} methods, at most ${METHODS_MAX}: it is two ports`)]
        : [];
    });
  });
}

function isMethod(member: ts.TypeElement): boolean {
  return (
    ts.isMethodSignature(member) ||
    (ts.isPropertySignature(member) && member.type !== undefined && ts.isFunctionTypeNode(member.type))
  );
}
