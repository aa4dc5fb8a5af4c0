/**
 * The lines of a text that hold something, trimmed and with their number in the file, which begins at 1.
 * `#` at the beginning of a line, or behind a space, begins a comment.
 */
export function readLines(text) {
  return text
    .split(/\r?\n/)
    .map((line, i) => ({ number: i + 1, text: line.replace(/(^|\s)#.*$/, '').trim() }))
    .filter(line => line.text !== '');
}
