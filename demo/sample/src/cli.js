#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { readLines } from './lines.js';

const [file] = process.argv.slice(2);

if (file === undefined) {
  process.stderr.write('usage: tally FILE\n');
  process.exitCode = 2;
} else {
  process.stdout.write(`${readLines(readFileSync(file, 'utf8')).length} lines\n`);
}
