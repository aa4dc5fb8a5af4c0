/** The end of what git said, fit to be shown: whole characters, no control characters but line ends, no password of a URL. */
export function lastWords(output: Buffer, bytesMax = 1_500): string {
  const text = output.subarray(Math.max(0, output.length - bytesMax)).toString('utf8');
  return withoutControls(text)
    .replace(/\/\/[^/@\s]*@/g, '//')
    .replaceAll('\ufffd', '')
    .trim();
}

// No escape sequence, nothing that turns the direction of what follows, nothing that takes no room.
const unseen = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;

/** Text for a terminal or a page. */
export function withoutControls(text: string): string {
  return text.replace(unseen, '');
}

/** The same with what can't be seen spelled out, so that a reader judges what is there: \r as ^M, others as <U+202E>. */
export function visible(text: string): string {
  return text.replace(unseen, found => {
    if (found === '\r') return '^M';
    return `<U+${(found.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}>`;
  });
}
