import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { hostPattern } from '../../../contract/network/host.ts';
import { Fault } from '../../kernel/fault.ts';
import { locateJsonFault } from '../../kernel/json.ts';

/** A header that the worker adds to calls of a sandbox. Its value is in no log, event, error or answer. */
export interface Credential {
  /** Whom it may be shown; a project can't name others. */
  readonly hosts: readonly string[];
  /** Small letters. */
  readonly header: string;
  readonly value: string;
}

export type Credentials = ReadonlyMap<string, Credential>;

interface Source {
  readonly file: string;
  /** A variable of the worker's environment; undefined where it is not there or could not stand in a header. */
  readonly variable: (name: string) => string | undefined;
}

const hint = 'The form of the file is in docs/network.md';

/** The worker's own file, which need not be there. Throws Fault `invalid_config` that says where it is wrong. */
export function readCredentials({ file, variable }: Source): Credentials {
  const text = read(file);
  if (text === undefined) return new Map();
  const entries = Object.entries(parse(text, file));
  return new Map(
    entries.map(([name, { hosts, header, value_env, scheme }]) => {
      const key = variable(value_env);
      if (key === undefined) {
        throw new Fault('invalid_config', {
          message: `${file}: ${name}.value_env: ${value_env} is not set, or holds what no key has`,
          hint: `Set ${value_env} in the environment of the worker, without spaces or line breaks; a word before it, such as Bearer, is the scheme`,
        });
      }
      return [name, { hosts, header, value: scheme === undefined ? key : `${scheme} ${key}` }];
    }),
  );
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // Whether its folder can be one is for others to say.
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new Fault('invalid_config', { message: `${file} cannot be read (${code ?? String(error)})`, hint });
  }
}

/** What decides where a message ends or who is asked is no key's place. */
const framing = /^(?:host|connection|content-length|transfer-encoding|te|trailer|upgrade|expect|keep-alive|proxy-.*)$/;

const entry = z.strictObject({
  hosts: z.array(hostPattern).min(1).max(50),
  header: z
    .string()
    .regex(/^[A-Za-z0-9-]{1,60}$/, 'the name of a header')
    .transform(name => name.toLowerCase())
    .refine(name => !framing.test(name), 'a header in which no key can stand'),
  value_env: z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'the name of an environment variable'),
  scheme: z
    .string()
    .regex(/^[A-Za-z][A-Za-z0-9-]{0,29}$/, 'a word such as Bearer or Basic')
    .optional(),
});
const form = z.record(z.string().regex(/^[a-z0-9][a-z0-9_-]{0,49}$/, 'small letters, digits, - and _'), entry);

function parse(text: string, file: string): z.infer<typeof form> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    const { line, column, reason } = locateJsonFault(text);
    // Without the line itself: who has put a key there by mistake does not want to see it in a log.
    throw new Fault('invalid_config', { message: `${file}:${line}:${column}: ${reason}`, hint });
  }
  const parsed = form.safeParse(value);
  if (parsed.success) return parsed.data;
  const messages = parsed.error.issues.slice(0, issuesMax).map(({ path, message }) => `${file}: ${path.join('.')}: ${message}`);
  throw new Fault('invalid_config', { message: messages.join('\n'), hint });
}

const issuesMax = 10;
