import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Fault } from '../../../kernel/fault.ts';
import { locateJsonFault } from '../../../kernel/json.ts';
import { type RecordingFile, recordingFile, type Scene } from './format.ts';

export interface Recording {
  readonly name: string;
  /** `provider/model` whose prices are shown. */
  readonly pricedAs: string;
  /** In the order in which they are tried. */
  readonly scenes: readonly Scene[];
}

interface Loaded {
  readonly name: string;
  readonly file: RecordingFile;
}

const fileBytesMax = 64 * 1_048_576;
const fileCountMax = 10_000;
const issuesShownMax = 10;

/**
 * Reads a recording: one file, or all `*.json` of a folder in the order of their names. Throws Fault `invalid_config`, which
 * names the file, the place in it, what is wrong and how to mend it.
 */
export async function loadRecording(place: string): Promise<Recording> {
  const loaded: Loaded[] = [];
  for (const path of await filesAt(place)) loaded.push({ name: basename(path), file: await readOne(path) });
  const [first] = loaded;
  if (first === undefined) throw invalid(`${place} holds no recording: there is no file *.json in it`);
  refuseOtherPrices(first, loaded);
  refuseDuplicates(loaded);
  return { name: first.file.name, pricedAs: first.file.priced_as, scenes: loaded.flatMap(({ file }) => file.scenes) };
}

async function filesAt(place: string): Promise<string[]> {
  try {
    if (!(await stat(place)).isDirectory()) return [place];
    const names = (await readdir(place)).filter(name => name.endsWith('.json') && !name.startsWith('.')).sort();
    if (names.length > fileCountMax)
      throw invalid(`${place} holds ${names.length} files; a recording has at most ${fileCountMax}`);
    return names.map(name => join(place, name));
  } catch (error) {
    throw unreadable(place, error);
  }
}

async function readOne(path: string): Promise<RecordingFile> {
  const checked = recordingFile.safeParse(parse(await textOf(path), path));
  if (checked.success) return checked.data;
  const { issues } = checked.error;
  const shown = issues.slice(0, issuesShownMax).map(issue => `${pathText(issue.path)}: ${issue.message}`);
  const more = issues.length > shown.length ? [`and ${issues.length - shown.length} more`] : [];
  throw invalid(`${path} is not a valid recording: ${[...shown, ...more].join('; ')}`);
}

async function textOf(path: string): Promise<string> {
  try {
    const { size } = await stat(path);
    if (size > fileBytesMax) throw invalid(`${path} has ${size} bytes; a recording has at most ${fileBytesMax}`);
    return new TextDecoder('utf-8', { fatal: true }).decode(await readFile(path));
  } catch (error) {
    if (error instanceof TypeError) throw invalid(`${path} is not UTF-8 text`);
    throw unreadable(path, error);
  }
}

function parse(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    const { line, column, reason, excerpt } = locateJsonFault(text);
    throw invalid(`${path} is not valid JSON: line ${line}, column ${column}: ${reason}\n${excerpt}`);
  }
}

/** The costs of one demo are shown at the prices of one model. */
function refuseOtherPrices(first: Loaded, loaded: readonly Loaded[]): void {
  const other = loaded.find(({ file }) => file.priced_as !== first.file.priced_as);
  if (other === undefined) return;
  throw invalid(
    `${first.name} is priced as ${first.file.priced_as} and ${other.name} as ${other.file.priced_as}: give them the same priced_as`,
  );
}

/** Of two scenes for the same runs the second would never be played. */
function refuseDuplicates(loaded: readonly Loaded[]): void {
  const seen = new Map<string, string>();
  for (const { name, file } of loaded) {
    for (const [i, { match }] of file.scenes.entries()) {
      const key = JSON.stringify(Object.entries(match).sort(([a], [b]) => (a < b ? -1 : 1)));
      const place = `${name}: scenes[${i}]`;
      const before = seen.get(key);
      if (before !== undefined)
        throw invalid(`${place} matches what ${before} matches already (${JSON.stringify(match)}): remove one`);
      seen.set(key, place);
    }
  }
}

function invalid(message: string): Fault {
  return new Fault('invalid_config', { message, hint: 'docs/guides/recording.md shows the format of a recording' });
}

function unreadable(path: string, error: unknown): Fault {
  if (error instanceof Fault) return error;
  const code = (error as NodeJS.ErrnoException).code;
  const why = code === 'ENOENT' ? 'does not exist' : `cannot be read (${code ?? 'unknown reason'})`;
  return new Fault('invalid_config', {
    message: `The recording ${path} ${why}`,
    hint: 'SKEP_RECORDING names a file, or a folder of files, that docs/guides/recording.md explains',
    cause: error,
  });
}

/** `scenes[3].steps[0].call` */
function pathText(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, key) => {
    if (typeof key === 'number') return `${text}[${key}]`;
    return text === '' ? String(key) : `${text}.${String(key)}`;
  }, '');
}
