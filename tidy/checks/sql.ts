import ts from 'typescript';
import type { Finding, Source } from './finding.ts';
import { finding, nodes, parse } from './syntax.ts';

const STATEMENT =
  /^\s*(select\s[^]*\sfrom|insert\s+into|update\s+\S+\s+set|delete\s+from|with\s+\w+\s+as|lock\s+table|truncate)\s/i;

/** Statements stand in the *.sql.ts of their slice or in src/db, where they can all be read and planned. */
export function checkSql(sources: readonly Source[]): Finding[] {
  return sources
    .filter(({ path }) => !/[.]sql[.]ts$|^src\/db\//.test(path))
    .flatMap(source => {
      const parsed = parse(source);
      const texts = [...nodes(parsed.tree)].filter(
        node => ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node) || ts.isTemplateHead(node),
      );
      return texts
        .filter(node => STATEMENT.test((node as ts.LiteralLikeNode).text))
        .map(node => finding(parsed, node, 'move the statement to the *.sql.ts of the slice, with its reason'));
    });
}
