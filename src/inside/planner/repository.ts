import { extname, join } from 'node:path';
import { listPaths } from '../looking/list.ts';
import { readText } from '../looking/read.ts';

/** What is known of a repository, as much of it as a model is shown. */
export interface Glance {
  /** Relative to the repository; folders that are near come before those that are deep. */
  readonly paths: readonly string[];
  /** Whether there are more. */
  readonly isCut: boolean;
  readonly files: readonly { readonly path: string; readonly text: string }[];
}

const listMax = { pathsMax: 2_000, bytesMax: 24_576 };
/** In all, paths among them. */
const bytesMax = 61_440;
const manifestBytesMax = 4_096;
const readmeBytesMax = 10_240;
const sampleBytesMax = 3_072;
const manifestsMax = 10;

const manifests: ReadonlySet<string> = new Set([
  ...['package.json', 'pyproject.toml', 'requirements.txt', 'setup.py', 'setup.cfg', 'go.mod', 'Cargo.toml', 'pom.xml'],
  ...['build.gradle', 'build.gradle.kts', 'Gemfile', 'composer.json', 'mix.exs', 'Makefile', 'tsconfig.json', 'deno.json'],
  ...['AGENTS.md', 'CONTRIBUTING.md', 'Dockerfile', 'CMakeLists.txt'],
]);

const sources: ReadonlySet<string> = new Set(
  '.js .mjs .cjs .ts .tsx .jsx .py .go .rs .java .kt .rb .php .cs .c .h .cc .cpp .hpp .swift .scala .ex .exs .sh .sql .vue .svelte'.split(
    ' ',
  ),
);

/** Looks at the repository below `root`, without following a link out of it. What cannot be read is passed over. */
export function glanceAt(root: string): Glance {
  const { paths, isCut } = listPaths(root, listMax);
  let left = bytesMax - sizeOf(paths);
  const files: { path: string; text: string }[] = [];
  for (const { path, max } of worthReading(paths)) {
    const text = left <= 0 ? undefined : readText(join(root, path), Math.min(max, left));
    if (text === undefined) continue;
    left -= Buffer.byteLength(text) + path.length;
    files.push({ path, text });
  }
  return { paths, isCut, files };
}

/** README and manifests first, then sources: one of each folder before a second of any. */
function worthReading(paths: readonly string[]): { path: string; max: number }[] {
  const readme = paths.filter(path => /^readme([.][a-z]+)?$/i.test(path)).slice(0, 1);
  const known = paths.filter(path => manifests.has(path.slice(path.lastIndexOf('/') + 1))).slice(0, manifestsMax);
  const places = new Map<string, number>();
  const code = paths
    .filter(path => sources.has(extname(path)))
    .map(path => {
      const folder = path.slice(0, path.lastIndexOf('/') + 1);
      const place = places.get(folder) ?? 0;
      places.set(folder, place + 1);
      return { path, place };
    })
    .sort((a, b) => a.place - b.place)
    .map(({ path }) => ({ path, max: sampleBytesMax }));
  return [
    ...readme.map(path => ({ path, max: readmeBytesMax })),
    ...known.map(path => ({ path, max: manifestBytesMax })),
    ...code,
  ];
}

function sizeOf(paths: readonly string[]): number {
  return paths.reduce((sum, path) => sum + Buffer.byteLength(path) + 1, 0);
}
