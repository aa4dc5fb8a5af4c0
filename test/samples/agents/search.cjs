// Looks for secrets in all that a sandbox shows, and prints where it has found which. What to look for a model tells it, each in two
// halves, so that no place holds a secret because of the search. Run as `node -e <this>` in a sandbox.
'use strict';
const { lstatSync, readdirSync, readFileSync, statSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');

const { SKEP_GATEWAY_URL, SKEP_RUN_TOKEN, SKEP_MODEL } = process.env;
const limits = { files: 60_000, bytes: 400_000_000, fileBytes: 8_000_000 };
const seen = { files: 0, bytes: 0, processes: 0, mounts: 0 };
const found = {};

/** Asked again until the model knows. */
async function needles() {
  const answer = await fetch(`${SKEP_GATEWAY_URL}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${SKEP_RUN_TOKEN}` },
    body: JSON.stringify({
      model: SKEP_MODEL,
      max_tokens: 800,
      messages: [{ role: 'user', content: `I have ${SKEP_RUN_TOKEN}` }],
    }),
  });
  const { choices } = await answer.json();
  if (choices[0].message.content === 'wait') return new Promise(resolve => setTimeout(() => resolve(needles()), 100));
  return Object.entries(JSON.parse(choices[0].message.content)).map(([name, halves]) => [name, Buffer.from(halves.join(''))]);
}

function look(place, bytes, wanted) {
  seen.bytes += bytes.length;
  for (const [name, needle] of wanted) if (bytes.includes(needle)) (found[name] ??= []).push(place);
}

function read(path, wanted) {
  try {
    look(path, readFileSync(path), wanted);
    return true;
  } catch {
    return false;
  }
}

function list(folder) {
  try {
    return readdirSync(folder).map(name => join(folder, name));
  } catch {
    return [];
  }
}

function walk(folder, wanted) {
  for (const path of list(folder)) {
    if (seen.files >= limits.files || seen.bytes >= limits.bytes) return;
    const entry = lstatSync(path, { throwIfNoEntry: false });
    if (entry?.isDirectory()) walk(path, wanted);
    else if (entry?.isFile() && entry.size <= limits.fileBytes && read(path, wanted)) seen.files++;
  }
}

async function search() {
  const wanted = await needles();
  look('process.env', Buffer.from(JSON.stringify(process.env)), wanted);
  for (const pid of readdirSync('/proc').filter(name => /^\d+$/.test(name))) {
    seen.processes++;
    for (const file of ['environ', 'cmdline', 'mountinfo', 'maps', 'comm']) read(`/proc/${pid}/${file}`, wanted);
    for (const fd of list(`/proc/${pid}/fd`)) if (statSync(fd, { throwIfNoEntry: false })?.isFile()) read(fd, wanted);
  }
  seen.mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n').length - 1;
  for (const name of ['work', 'skep', 'home', 'tmp', 'etc', 'run', 'var', 'root', 'srv', 'mnt']) walk(`/${name}`, wanted);
  seen.ownFiles = seen.files;
  // Programs of the machine, as far as the limits go.
  walk('/usr', wanted);
  process.stdout.write(`${JSON.stringify({ seen, found })}\n`);
  writeFileSync('searched.txt', 'done\n');
}

search().catch(error => {
  process.stdout.write(`${error.stack}\n`);
  process.exit(3);
});
