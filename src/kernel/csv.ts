/**
 * One line of CSV (RFC 4180). Numbers stay as they are; a text that a spreadsheet would take for a formula gets an apostrophe in
 * front, since titles are written by others and a formula can send what stands beside it away.
 */
export function csvLine(cells: readonly (string | number | null)[]): string {
  return `${cells.map(cell => (typeof cell === 'number' ? String(cell) : quoted(harmless(cell ?? '')))).join(',')}\r\n`;
}

function harmless(text: string): string {
  return /^[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]/.test(text) ? `'${text}` : text;
}

function quoted(text: string): string {
  return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
