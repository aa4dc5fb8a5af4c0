/**
 * Whether a statement is in the form of EARS: conditions that begin with WHEN, WHILE, IF or WHERE, and then THE SYSTEM SHALL with
 * what it shall do; or that alone. In capitals or not.
 */
export function isEars(statement: string): boolean {
  const text = statement.trim().replace(/\s+/g, ' ');
  const at = text.toUpperCase().indexOf(core);
  if (at === -1 || !hasWords(text.slice(at + core.length))) return false;
  const condition = text.slice(0, at).trim();
  if (condition === '') return true;
  const [keyword = '', ...rest] = condition.split(' ');
  return keywords.has(keyword.toUpperCase()) && hasWords(rest.join(' ').replace(/,?\s*\bthen$/i, ''));
}

const core = 'THE SYSTEM SHALL ';
const keywords: ReadonlySet<string> = new Set(['WHEN', 'WHILE', 'IF', 'WHERE']);

function hasWords(text: string): boolean {
  return /[\p{L}\p{N}]/u.test(text);
}
