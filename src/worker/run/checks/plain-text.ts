/** What a program printed, as lines that are fit to be shown: no colours, no other control characters, one kind of line end. */
export function plainText(output: string): string {
  return output
    .replace(ansi, '')
    .replace(/\r\n?/g, '\n')
    .replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufffd]/g, '');
}

/** Colours and moves of the cursor, then titles of windows and links. */
const ansi = /\u001b\[[0-?]*[ -/]*[@-~]|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)/g;
