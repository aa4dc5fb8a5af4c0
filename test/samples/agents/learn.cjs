// Knows the test of its ticket and not the answer: the first attempt is a guess, the next one believes the feedback.
'use strict';
const { existsSync, mkdirSync, readFileSync, writeFileSync } = require('node:fs');

const test = "require('tape')('the answer', t => (t.equal(require('../answer.js'), 7 * 191, 'the answer is right'), t.end()));\n";

function learn() {
  const path = process.env.SKEP_FEEDBACK;
  if (!path || !existsSync(path)) return 'undefined';
  const [, expected] = /^\s*not ok \d+ the answer is right$[^]*?^\s*expected:\s*(\d+)$/m.exec(readFileSync(path, 'utf8')) ?? [];
  if (expected === undefined) throw new Error('the feedback does not hold the assertion that failed');
  return expected;
}

mkdirSync('test', { recursive: true });
writeFileSync('test/answer.js', test);
writeFileSync('answer.js', `module.exports = ${learn()};\n`);
