import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

const here = path => new URL(`../${path}`, import.meta.url);
const modules = readdirSync(here('src')).filter(name => !['cli.js', 'index.js'].includes(name));

for (const name of modules) {
  test(`${name} has tests`, () => {
    assert.ok(existsSync(here(`test/${name.replace(/\.js$/, '.test.js')}`)));
  });

  test(`${name} says what it gives`, () => {
    assert.match(readFileSync(here(`src/${name}`), 'utf8'), /^\/\*\*/m);
  });
}
