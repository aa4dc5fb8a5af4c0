import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { skep } from '../../../test/harness/cli.ts';

let cwd: string;
beforeEach(() => {
  cwd = realpathSync(mkdtempSync(join(tmpdir(), 'skep-build-')));
  mkdirSync(join(cwd, 'plain'));
  execFileSync('git', ['init', '--quiet', join(cwd, 'repo')]);
  writeFileSync(join(cwd, 'card.json'), JSON.stringify({ name: 'Todo', features: [{ title: 'List' }] }));
  writeFileSync(join(cwd, 'bad.json'), JSON.stringify({ name: 'Todo', features: [{ titel: 'List' }] }));
  writeFileSync(
    join(cwd, 'elsewhere.json'),
    JSON.stringify({ name: 'Todo', features: [{ title: 'List' }], repository: 'nowhere' }),
  );
});
afterEach(() => rmSync(cwd, { recursive: true, force: true }));

const build = (words: readonly string[], more: object = {}) =>
  skep(['build', ...words], { cwd, env: { SKEP_HOME: join(cwd, 'home') }, ...more });
const usual = ['--repo', 'repo', '--spec', 'card.json'];
const agent = ['--command', 'node agent.js'];

describe('skep build refuses before anything is started', () => {
  it.each<[string, readonly string[], number, string]>([
    [
      'no card',
      ['--repo', 'repo', ...agent, '--yes'],
      2,
      "What is to be built is missing\n  hint: Give --idea 'what you want', --spec card.json, or --resume",
    ],
    ['a card that is not there', ['--repo', 'repo', '--spec', 'no.json', ...agent, '--yes'], 2, 'no.json does not exist'],
    ['a card that is wrong', ['--repo', 'repo', '--spec', 'bad.json', ...agent, '--yes'], 2, 'features[0].title'],
    [
      'a folder that is no repository',
      ['--repo', 'plain', '--spec', 'card.json', ...agent, '--yes'],
      2,
      'plain is not a git repository',
    ],
    ['a folder that is not there', ['--repo', 'no', '--spec', 'card.json', ...agent, '--yes'], 2, 'no does not exist'],
    ["a card's repository that is not there", ['--spec', 'elsewhere.json', ...agent, '--yes'], 2, 'nowhere does not exist'],
    ['two agents', [...usual, ...agent, '--yes', '--', 'node'], 2, 'either by --command or behind --'],
    ['an agent without its --', [...usual, '--yes', 'node', 'agent.js'], 2, "'node' is one word too many"],
    ['an empty agent', [...usual, '--command', ' ', '--yes'], 2, "The agent's command is empty"],
    ['a time without an agent', [...usual, '--timeout', '5', '--yes'], 2, '--timeout is for an agent'],
    ['an unknown kind of agent', [...usual, ...agent, '--agent', 'magic', '--yes'], 2, 'Allowed choices are exec'],
    [
      'a plain model without its file',
      [...usual, '--agent', 'model', '--model', 'a/b', '--yes'],
      2,
      '--agent model needs --output',
    ],
    ['an endpoint with a command', [...usual, ...agent, '--agent', 'http', '--yes'], 2, 'brings its own program'],
    ['an endpoint that is no URL', [...usual, '--agent', 'http', '--url', 'x', '--yes'], 2, "--url: 'x': give a URL"],
    ['a file for an agent of its own', [...usual, ...agent, '--output', 'a', '--yes'], 2, '--output is for --agent model'],
    ['checks and none', [...usual, ...agent, '--check', 'a', '--no-checks', '--yes'], 2, 'Give one of --check, --no-checks'],
    ['a retry of nothing', [...usual, ...agent, '--retry-failed', '--yes'], 2, '--retry-failed goes with --resume'],
    ['nobody to ask', [...usual, ...agent], 2, 'there is no terminal to ask on\n  hint: Add --yes'],
    ['nothing to resume', ['--resume', '--repo', 'repo'], 3, 'There is no unfinished build'],
    ['a server that does not answer', [...usual, ...agent, '--yes', '--server', 'http://127.0.0.1:1'], 6, 'does not answer'],
  ])('%s', async (...[, words, exit, why]) => {
    const { code, err, out } = await build(words);
    expect(err).toContain(why);
    expect([code, out]).toEqual([exit, '']);
    expect(existsSync(join(cwd, 'home'))).toBe(false);
  });

  it('asks no program that reads JSON', async () => {
    const { code, err, questions } = await build([...usual, ...agent, '--json'], { isTerminal: true, answer: 'y' });
    expect([code, questions]).toEqual([2, []]);
    expect(JSON.parse(err)).toMatchObject({ code: 'confirmation_required', hint: 'Add --yes' });
  });
});
