import { readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { SpecCardInput } from '../../../contract/spec-card.ts';
import { Fault } from '../../kernel/fault.ts';
import type { World } from '../world.ts';
import { parseJson } from './json.ts';

const cardBytesMax = 8 * 1_048_576;

/**
 * Reads and checks a spec card before anything is sent. `-` is stdin. Throws Fault `invalid_request` (no such file),
 * `too_large`, `invalid_json` (with line, column and caret) or `invalid_spec_card` (with the path of each fault).
 */
export async function readCard(world: World, path: string): Promise<SpecCardInput> {
  const name = path === '-' ? 'stdin' : path;
  const card = parseJson(await readText(world, path), name);
  const { specCard } = await import('../../../contract/spec-card.ts');
  const checked = specCard.safeParse(card);
  if (!checked.success) {
    const issues = checked.error.issues.map(issue => ({ path: pathText(issue.path), message: issue.message }));
    throw new Fault('invalid_spec_card', { message: `${name} is not a valid spec card`, facts: { issues } });
  }
  return card as SpecCardInput;
}

/** The text of a file, `-` being stdin. Throws Fault `invalid_request` (no such file), `too_large`, `invalid_json` (not UTF-8). */
export async function readText(world: World, path: string): Promise<string> {
  return decoded(await readBytes(world, path, cardBytesMax), path === '-' ? 'stdin' : path);
}

/** A file, `-` being stdin. Throws Fault `invalid_request` (no such file), `too_large`. */
export async function readBytes(world: World, path: string, bytesMax: number): Promise<Buffer> {
  return path === '-' ? world.input.read(bytesMax) : readFile(resolve(world.cwd, path), path, bytesMax);
}

/** `features[3].title` */
function pathText(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, key) => {
    if (typeof key === 'number') return `${text}[${key}]`;
    return text === '' ? String(key) : `${text}.${String(key)}`;
  }, '');
}

function readFile(path: string, shown: string, bytesMax: number): Buffer {
  try {
    const facts = statSync(path);
    if (!facts.isFile()) throw new Fault('invalid_request', { message: `${shown} is not a file` });
    if (facts.size > bytesMax) {
      throw new Fault('too_large', { message: `${shown} has ${facts.size} bytes; it may have at most ${bytesMax}` });
    }
    return readFileSync(path);
  } catch (error) {
    if (error instanceof Fault) throw error;
    const code = (error as NodeJS.ErrnoException).code;
    const why = code === 'ENOENT' ? 'does not exist' : `cannot be read (${code ?? 'unknown reason'})`;
    throw new Fault('invalid_request', { message: `${shown} ${why}`, cause: error });
  }
}

function decoded(bytes: Buffer, name: string): string {
  try {
    // Also takes away the byte-order mark that some editors write.
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new Fault('invalid_json', { message: `${name} is not UTF-8 text`, cause });
  }
}
