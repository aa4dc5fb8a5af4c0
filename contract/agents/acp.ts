import { z } from 'zod';

/** What stands for the run token in the values and files that a project gives its agent. */
const tokenPlaceholder = '${SKEP_RUN_TOKEN}';

const variablesMax = 50;
const valueCharactersMax = 4_000;
const filesMax = 20;
const fileCharactersMax = 16_384;
const filesCharactersMax = 32_768;
const pathCharactersMax = 200;

const env = z
  .record(z.string(), z.string().max(valueCharactersMax))
  .check(refusing(variables => [...tooMany(variables, variablesMax), ...each(variables, wrongVariable)]))
  .meta({
    description: 'Its variables beside those of every agent; ${SKEP_RUN_TOKEN} in a value stands for what opens the gateway',
  });

const home = z
  .record(z.string(), z.string().max(fileCharactersMax))
  .check(
    refusing(files => [
      ...tooMany(files, filesMax),
      ...tooLong(files),
      ...each(files, (path, content) => wrongPath(path) ?? wrongText(content) ?? wrongNeighbour(path, Object.keys(files))),
    ]),
  )
  .meta({ description: 'Small files of its HOME, by their paths there; the same stands for the same as in env' });

const conversations = z
  .string()
  .refine(path => wrongPath(path) === undefined, { error: 'give the path of a folder in its HOME, such as .agent/sessions' })
  .meta({ description: 'The folder of its HOME that session/load needs in the next sandbox; without it each run begins anew' });

/** Of an agent that speaks the Agent Client Protocol and that Skep knows nothing of. */
export const acpFields = { env, home, conversations };

/** Why the folder of conversations can't be there beside the files of the same HOME; undefined where it can. */
export function clashIn({ home: files = {}, conversations: folder }: AcpFields): string | undefined {
  const other = folder === undefined ? undefined : Object.keys(files).find(path => meet(path, folder));
  return other === undefined
    ? undefined
    : `${other} of home lies in its way: the folder is a link to where conversations are kept`;
}

export interface AcpFields {
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly home?: Readonly<Record<string, string>> | undefined;
  readonly conversations?: string | undefined;
}

type Texts = Readonly<Record<string, string>>;
interface Wrong {
  readonly name?: string;
  readonly message: string;
}

function refusing(find: (texts: Texts) => readonly Wrong[]) {
  return ({ value, issues }: z.core.ParsePayload<Record<string, string>>): void => {
    for (const { name, message } of find(value))
      issues.push({ code: 'custom', message, input: value, path: name === undefined ? [] : [name] });
  };
}

function each(texts: Texts, wrong: (name: string, text: string) => string | undefined): Wrong[] {
  return Object.entries(texts).flatMap(([name, text]) => {
    const message = wrong(name, text);
    return message === undefined ? [] : [{ name, message }];
  });
}

function tooMany(texts: Texts, max: number): Wrong[] {
  return Object.keys(texts).length <= max ? [] : [{ message: `there are more than ${max}` }];
}

function tooLong(files: Texts): Wrong[] {
  const all = Object.values(files).reduce((sum, { length }) => sum + length, 0);
  return all <= filesCharactersMax ? [] : [{ message: `all of them together have more than ${filesCharactersMax} characters` }];
}

const ofTheSandbox: ReadonlySet<string> = new Set(['HOME', 'PATH', 'LANG']);
/** As providers and programs name what is secret. */
const keyLike = /(?:key|token|secret|password|passwd|credentials?)$|(?:^|_)(?:key|token|secret|pass|pat|auth|bearer)(?:_|$)/i;

function wrongVariable(name: string, value: string): string | undefined {
  if (!/^[A-Za-z_][A-Za-z0-9_]{0,99}$/.test(name)) return 'a variable is named with letters, digits and _, 100 at most';
  if (/^SKEP_/i.test(name)) return 'what begins with SKEP_ is said by Skep itself';
  if (ofTheSandbox.has(name)) return 'is the same for every program of the sandbox and cannot be changed';
  if (keyLike.test(name) && value !== tokenPlaceholder)
    return `looks like a key, and no key is given to a sandbox: the gateway adds it. Write ${tokenPlaceholder}, which opens the gateway`;
  return wrongText(value);
}

function wrongText(text: string): string | undefined {
  return /[\0\p{Surrogate}]/u.test(text) ? 'a text may have neither a NUL nor half of a surrogate pair in it' : undefined;
}

function wrongPath(path: string): string | undefined {
  const isFine = path.length <= pathCharactersMax && !/[\u0000-\u001f\u007f\\\p{Surrogate}]/u.test(path);
  return isFine && path.split('/').every(part => part !== '' && part !== '.' && part !== '..')
    ? undefined
    : 'give the path of a file in its HOME, such as .agent/settings.json';
}

function wrongNeighbour(path: string, paths: readonly string[]): string | undefined {
  const below = paths.find(other => other.startsWith(`${path}/`));
  return below === undefined ? undefined : `cannot be a file, since ${below} lies below it`;
}

/** Whether one is the other, or lies below it. */
function meet(one: string, other: string): boolean {
  return one === other || one.startsWith(`${other}/`) || other.startsWith(`${one}/`);
}
