// Does what a ticket says in its fenced blocks, or puts an end to a conflict. Run as `node -e` in a sandbox.
'use strict';
const { appendFileSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } = require('node:fs');
const { dirname, join } = require('node:path');

const read = path => (existsSync(path) ? readFileSync(path, 'utf8') : '');

const verbs = {
  write(path, content) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
  },
  // A second attempt finds what the first one left.
  append(path, content) {
    if (!read(path).includes(content)) appendFileSync(path, `\n${content}`);
  },
  line(place, content) {
    const [number, path] = place.split(' ');
    const lines = read(path).split('\n');
    lines[number - 1] = content.trimEnd();
    writeFileSync(path, lines.join('\n'));
  },
};

function implement() {
  const { description } = JSON.parse(readFileSync(process.env.SKEP_TICKET, 'utf8'));
  const blocks = [...description.matchAll(/^```(write|append|line) (.+)\n([^]*?)^```$/gm)];
  for (const [, verb, place, content] of blocks) verbs[verb](place, content);
  if (blocks.length === 0) throw new Error('the ticket has no block that says what to do');
}

// Both sides stay, ours first; the common ancestor of the diff3 style goes.
function keepBoth(folder) {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (name === '.git' || name === 'node_modules') continue;
    if (lstatSync(path).isDirectory()) keepBoth(path);
    else if (lstatSync(path).isFile() && /^<{7} /m.test(read(path))) writeFileSync(path, withoutMarkers(read(path)));
  }
}

function withoutMarkers(text) {
  return text
    .replace(/^\|{7}[^]*?(?=^={7}$)/gm, '')
    .replace(/^(<{7}|>{7}) .*\n/gm, '')
    .replace(/^={7}\n/gm, '');
}

if (process.env.SKEP_CONFLICT) keepBoth('.');
else implement();
