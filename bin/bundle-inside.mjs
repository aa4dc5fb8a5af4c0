// Bundles each program of src/inside into the folder that is named, as one file without dependencies: a sandbox sees that folder
// and none of node_modules. Used by bin/build, and by workers that run from the sources (src/worker/inside.ts).
import { chmodSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

const [folder] = process.argv.slice(2);
if (folder === undefined) throw new Error('name the folder to write to');
const sources = join(import.meta.dirname, '../src/inside');
const programs = readdirSync(sources).filter(name => name.endsWith('.ts') && !name.endsWith('.test.ts'));

await build({
  entryPoints: programs.map(name => join(sources, name)),
  outdir: folder,
  outExtension: { '.js': '.mjs' },
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  legalComments: 'eof',
  logLevel: 'warning',
  // Packages in the old format ask for Node's modules by `require`.
  banner: { js: "import { createRequire as requireOf } from 'node:module'; const require = requireOf(import.meta.url);" },
});

/** What an agent calls by name; the program itself lies beside. */
const commands = { 'skep-report': 'report.mjs' };
mkdirSync(join(folder, 'bin'), { recursive: true });
for (const [name, program] of Object.entries(commands)) {
  writeFileSync(join(folder, 'bin', name), `#!/usr/bin/env node\nimport('../${program}');\n`);
}

// The umask must not decide what the user of a sandbox can read.
for (const path of ['', 'bin', ...Object.keys(commands).map(name => join('bin', name))]) chmodSync(join(folder, path), 0o755);
for (const name of programs) chmodSync(join(folder, name.replace(/ts$/, 'mjs')), 0o644);
