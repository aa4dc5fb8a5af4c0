/**
 * Sums the JSON reports of vitest in a folder and prints the one line that others read:
 *   node tidy/count.mjs <a step was red: yes|no> <tests skipped beside those in the reports> <folder>
 * Exits with 1 when something failed.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const [, , red, skippedElsewhere, folder] = process.argv;

const reports = readdirSync(folder)
  .filter(name => name.endsWith('.json'))
  .map(name => JSON.parse(readFileSync(join(folder, name), 'utf8')));
const sum = field => reports.reduce((total, report) => total + field(report), 0);

// A file that could not be loaded has no tests to fail: it counts as one.
const broken = report =>
  report.testResults.filter(file => file.status === 'failed' && !file.assertionResults.some(test => test.status === 'failed'))
    .length;
const tests = sum(report => report.numFailedTests + broken(report));
// A red step without a failed test (a wrong format, a build) is a failure too.
const failed = tests === 0 && red === 'yes' ? 1 : tests;
const passed = sum(report => report.numPassedTests);
const skipped = sum(report => report.numPendingTests + report.numTodoTests) + Number(skippedElsewhere);

process.stdout.write(`${passed} passed, ${failed} failed, ${skipped} skipped\n`);
process.exitCode = failed === 0 ? 0 : 1;
