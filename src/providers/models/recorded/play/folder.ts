/** Where the agent works: agents tell their model so, each in its own words. Null where this one does not. */
export function workingFolder(body: string): string | null {
  const found = told.map(pattern => pattern.exec(body)?.[1]).find(path => path !== undefined);
  return found?.replace(/[.,;)`]+$/, '') ?? null;
}

const told = [
  /<cwd>(\/[^<"\\]{1,4096})<\/cwd>/,
  /[Ww]orking directory(?: is)?:? (\/[^\s<"\\]{1,4096})/,
  // Qwen Code, which writes no file whose path is not absolute.
  /working in the directory: (\/[^\s<"\\]{1,4096})/,
];
