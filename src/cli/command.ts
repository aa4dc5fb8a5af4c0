import { Command, Option } from 'commander';
import { readFileSync } from 'node:fs';
import { Fault } from '../kernel/fault.ts';

interface Definition {
  /** The verb, with its arguments, such as `show <id>`. */
  readonly name: string;
  readonly description: string;
  /** Complete lines that work, shown under --help. */
  readonly examples: readonly string[];
}

/** A command that talks to a server: every one takes --json and says where the server is in the same way. */
export function remoteCommand(definition: Definition): Command {
  return localCommand(definition)
    .option('--server <url>', 'the server; default: SKEP_SERVER, else the one of this machine')
    .option('--token <token>', 'prefer SKEP_TOKEN or --token-file: other users of this machine can see what is typed here')
    .option('--token-file <path>', 'a file that holds the token')
    .option('--home <folder>', 'where the data of this machine lies; default: SKEP_HOME or ~/.skep');
}

export function localCommand({ name, description, examples }: Definition): Command {
  const heading = examples.length === 1 ? 'Example:' : 'Examples:';
  return new Command()
    .name(name.split(' ')[0] ?? name)
    .description(description)
    .addOption(new Option('--json', 'print JSON'))
    .addHelpText('after', `\n${[heading, ...examples.map(line => `  ${line}`)].join('\n')}`);
}

/** A noun with its verbs. */
export function noun(name: string, description: string, verbs: readonly Command[]): Command {
  const command = new Command(name).description(description);
  for (const verb of verbs) command.addCommand(verb);
  return command;
}

/** A mistake in what was typed that commander cannot see. Exit code 2. */
export function usage(message: string, hint?: string): Fault {
  return new Fault('invalid_request', { message, ...(hint === undefined ? {} : { hint }) });
}

/** For an option that takes a whole number. */
export function whole(low: number, high: number): (value: string) => number {
  return value => {
    const number = Number(value);
    if (!/^-?\d+$/.test(value) || number < low || number > high) {
      throw usage(`'${value}' is not a whole number from ${low} to ${high}`);
    }
    return number;
  };
}

/** For an option that may be repeated. */
export function collect(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}

export function version(): string {
  // Beside the sources and beside dist/src alike, the package file is the first one upward.
  for (const path of ['../../package.json', '../../../package.json']) {
    try {
      const parsed = JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8')) as { version?: string };
      if (parsed.version !== undefined) return parsed.version;
    } catch {
      // Not here: try the next place.
    }
  }
  return 'unknown';
}
