/** As one would type it, on one line. */
export function commandLine(command: readonly string[]): string {
  return shown(command.map(quoted).join(' '));
}

/** The same of a setup: what was typed as a line for a shell is shown as that. */
export function setupLine(setup: readonly string[]): string {
  const [shell, option, line] = setup;
  return shell === 'sh' && option === '-c' && line !== undefined && setup.length === 3 ? shown(line) : commandLine(setup);
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

function shown(line: string): string {
  return line.replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ').slice(0, 1_000);
}
