/** In the order in which GNU make looks for them. */
export const makefileNames = ['GNUmakefile', 'makefile', 'Makefile'] as const;

export interface MakeRule {
  readonly needs: readonly string[];
  readonly recipe: readonly string[];
}

/** The rules by target. Includes, patterns and what variables expand to are not followed. */
export function readMakefile(text: string): Map<string, MakeRule> {
  const rules = new Map<string, MakeRule>();
  let current: readonly string[] = [];
  for (const line of text.replace(/\\\r?\n/g, ' ').split(/\r?\n/)) {
    if (line.startsWith('\t')) add(rules, current, { needs: [], recipe: [commandOf(line)] });
    // A line without a colon is a condition, in the middle of a recipe too.
    else if (line.includes(':') && !line.startsWith('#')) current = readRule(rules, line);
  }
  return rules;
}

/** The targets of a line; none where it sets a variable. */
function readRule(rules: Map<string, MakeRule>, line: string): readonly string[] {
  const colon = line.indexOf(':');
  const head = line.slice(0, colon);
  const tail = line.slice(colon + 1).replace(/^:/, '');
  if (head.includes('=') || tail.startsWith('=') || tail.startsWith(':=')) return [];
  const targets = words(head);
  const [needs = '', ...recipe] = tail.split(';');
  add(rules, targets, { needs: words(needs), recipe: recipe.length === 0 ? [] : [commandOf(recipe.join(';'))] });
  return targets;
}

/** Without the marks of make: silent, always, and go on when it fails. */
function commandOf(line: string): string {
  return line.trim().replace(/^[@+-]+\s*/, '');
}

function add(rules: Map<string, MakeRule>, targets: readonly string[], more: MakeRule): void {
  for (const target of targets) {
    const { needs, recipe } = rules.get(target) ?? { needs: [], recipe: [] };
    rules.set(target, { needs: [...needs, ...more.needs], recipe: [...recipe, ...more.recipe] });
  }
}

function words(text: string): string[] {
  return text.split(/\s+/).filter(word => word !== '');
}
