import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { skep } from '../../../test/harness/cli.ts';
import { packages } from '../../providers/agents/install/packages.ts';

let home: string;
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'skep-agent-'));
  // One that is there and does not start.
  const program = join(home, 'agents/codex', packages.codex.version, packages.codex.program);
  mkdirSync(join(program, '..'), { recursive: true });
  writeFileSync(program, '#!/bin/sh\necho "it is broken" >&2\nexit 3\n', { mode: 0o755 });
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

describe('skep agent', () => {
  it('lists what can be installed and what is', async () => {
    const { code, out } = await skep(['agent', 'list'], { env: { SKEP_HOME: home } });
    expect(code).toBe(0);
    expect(out).toMatch(/^codex +0\.169\.0 +@openai\/codex +\S+agents\/codex\/0\.169\.0$/m);
    expect(out).toMatch(/^pi +0\.74\.2 +\S+ +not installed: skep agent install pi$/m);
    const elsewhere = await skep(['agent', 'list', '--json'], { env: { SKEP_HOME: home, SKEP_AGENTS: join(home, 'elsewhere') } });
    const rows = elsewhere.out
      .trim()
      .split('\n')
      .map(line => JSON.parse(line) as object);
    expect(rows).toMatchObject(
      ['claude', 'codex', 'gemini', 'opencode', 'pi', 'qwen', 'claude-agent-acp', 'codex-acp'].map(kind => ({
        kind,
        installed: false,
        folder: null,
      })),
    );
  });

  it('says of each thing that is wrong how to mend it', async () => {
    const { code, out } = await skep(['agent', 'doctor', '--home', home]);
    expect(code).toBe(7);
    expect(out).toMatch(/^sandbox +ok {2}bubblewrap \d+\.\d+\.\d+ makes one$/m);
    expect(out).toMatch(/^node +ok {2}v\d+\.\d+\.\d+ starts in it$/m);
    expect(out).toMatch(
      /^codex +no {2}0\.169\.0 is installed and does not start in a sandbox: it is broken\n +mend: rm -r \S+ && skep agent install codex$/m,
    );
    expect(out).toMatch(/^pi +no {2}0\.74\.2 is not installed\n +mend: skep agent install pi$/m);
    const one = await skep(['agent', 'doctor', 'pi', '--json', '--home', home]);
    expect(
      one.out
        .trim()
        .split('\n')
        .map(line => (JSON.parse(line) as { what: string }).what),
    ).toEqual(['sandbox', 'node', 'pi']);
  });

  it('knows no others', async () => {
    const { code, err } = await skep(['agent', 'install', 'aider']);
    expect([code, err]).toEqual([2, expect.stringContaining('claude, codex, gemini, opencode, pi, qwen')]);
  });
});

describe('skep agent try', () => {
  const trying = (...words: string[]) => skep(['agent', 'try', ...words], { env: { SKEP_HOME: home }, cwd: home });

  it.each([
    [['aider'], 'Allowed choices are exec, acp, claude'],
    [['exec'], 'The command of the agent is missing'],
    [['exec', 'node', 'a.js'], "'node' is one word too many"],
    [['codex', '--', 'node'], 'codex brings its own program'],
    [['http'], '--agent http needs --url'],
    [['http', '--url', 'nowhere'], "--url: 'nowhere': give a URL"],
    [['pi', '--model', '-x y'], "'-x y' is no name of a model"],
    [['exec', '--with', 'nowhere', '--', 'true'], 'nowhere does not exist'],
    [['exec', '--with', '..', '--', 'true'], '.. is no file or folder below this one'],
  ])('refuses %j before anything is started', async (words, why) => {
    const { code, err } = await trying(...words);
    expect([code, err]).toEqual([2, expect.stringContaining(why)]);
  });

  it('says how to come by an agent that is not there', async () => {
    const { code, out } = await trying('pi');
    expect(code).toBe(7);
    expect(out).toMatch(/^no +pi 0\.74\.2 is not installed on this machine .*\nhint +skep agent install pi$/m);
    const bridge = await trying('acp', '--', 'codex-acp');
    expect([bridge.code, bridge.out]).toEqual([7, expect.stringMatching(/^hint +skep agent install codex-acp$/m)]);
    const json = await trying('pi', '--json');
    expect(JSON.parse(json.out.trim().split('\n').at(-1) ?? '')).toMatchObject({ event: 'verdict', ok: false });
  });
});
