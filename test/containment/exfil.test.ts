import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { besideLoopback, startHost } from '../harness/egress.ts';
import type { TestHost } from '../harness/egress.ts';
import { allCompleted, databaseOf, startFarm } from '../harness/farm.ts';
import type { Farm } from '../harness/farm.ts';
import { buildSkep, endAll, until } from '../harness/process.ts';
import { callWith } from '../harness/server.ts';
import type { Answer } from '../harness/server.ts';
import { approvedSession, card } from '../harness/story.ts';
import { contents } from '../harness/tables.ts';
import { git, makeRepository } from '../harness/worker.ts';
import { hasPython } from './hostile.ts';
import { carriedRows, channelsOf, worthRows } from './table/exfil.ts';

const agent = readFileSync(join(import.meta.dirname, '../fixtures/hostile/exfil.py'), 'utf8');

/** A real server and a real worker, and an agent that carries out the one secret it has by all that is open to it. */
describe('a hijacked agent that carries its run token out', () => {
  const worth: Record<string, string> = {};
  const asked: string[] = [];
  const places: Record<string, string> = {};
  /** Of each of its attempts. */
  const tokens: string[] = [];
  let host: TestHost;
  const check = it.skipIf(!hasPython);

  beforeAll(async () => {
    if (!hasPython) return;
    buildSkep();
    const farm = await startFarm({ SKEP_RETRY_MS: '100', SKEP_RESTART_COOLDOWN_S: '0' });
    host = await startHost(
      (request, response) => {
        hear(farm, request).then(
          () => response.end('ok'),
          () => response.destroy(),
        );
      },
      undefined,
      besideLoopback,
    );
    const repository = makeRepository({ 'agent.py': agent });
    const processes = [farm.server, farm.worker('one')];
    await workedOn(farm, repository);
    worth['a stolen run token at the gateway, when the run is over'] = await atGateway(farm, tokens);
    places['the work'] = [
      git(repository, 'log', '--all', '--patch', '--format=%an %ae %B'),
      git(repository, 'for-each-ref', '--format=%(refname) %(contents)'),
    ].join('\n');
    const told = processes.map(process => JSON.stringify(process.lines) + process.stderr());
    places['what is kept'] = [...(await keptOf(farm)), ...told].join('\n').replaceAll('\\n', '\n');
    places['the host'] = asked.join('\n');
  }, 120_000);
  afterAll(async () => {
    host?.close();
    await endAll();
  });

  async function hear(farm: Farm, request: IncomingMessage): Promise<void> {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    const { url = '' } = request;
    const [, what, given = ''] = /^\/(stolen|stranger)\/(.*)$/.exec(url) ?? [];
    if (what === 'stranger') worth['the key of another account at the gateway'] = given;
    else if (what === 'stolen') {
      tokens.push(given);
      worth['a stolen run token at the gateway, while the run lives'] = await atGateway(farm, [given]);
      const call = callWith(farm.url, given);
      const others = ['/api/tickets', '/api/runs', '/api/events', '/api/projects', '/api/vms'];
      const answers = await Promise.all(others.map(path => call('GET', path)));
      worth['a stolen run token at any other part of the server, while the run lives'] = statusesOf(answers);
    } else asked.push(`${url} ${JSON.stringify(request.headers)} ${body}`);
  }

  async function workedOn(farm: Farm, repository: string): Promise<void> {
    const at = `http://${besideLoopback}:${host.port}`;
    const command = ['/usr/bin/python3', 'agent.py', at];
    const project = { name: 'story', repository, agent: { kind: 'acp', command, model: 'recorded/none' }, checks: [] };
    const network = [{ host: besideLoopback, port: host.port, private: true }];
    await farm.call('POST', '/api/projects', { ...project, network });
    const session = await approvedSession(farm, card('story', [{ title: 'carry it out' }]));
    await farm.call('POST', `/api/hitl/${session}/start-build`, { confirmed: true });
    await until('the ticket completed', () => allCompleted(farm), 90_000);
    await until('the work published', () => (git(repository, 'branch', '--list').split('\n').length > 1 ? true : undefined));
  }

  check.each(carriedRows)('$attempt', ({ attempt, answers }) => {
    for (const channel of channelsOf[attempt] ?? []) {
      const found = Object.keys(places).filter(place => isIn(places[place] ?? '', channel));
      expect([channel, answers]).toEqual([channel, expect.arrayContaining([found.join(', ') || 'nowhere'])]);
    }
  });

  /** In any of its forms; of names a colon may be another sign. */
  function isIn(text: string, channel: string): boolean {
    const small = text.toLowerCase();
    return tokens.some(token =>
      Object.entries(formsOf(token)).some(([form, secret]) =>
        [':', '-'].some(sign => small.includes([channel, form, secret].join(sign).toLowerCase())),
      ),
    );
  }

  check.each(worthRows)('$attempt', ({ attempt, answers }) => {
    expect(answers).toContain(worth[attempt]);
  });

  check('has been everywhere: what it said around the token is found', () => {
    expect(tokens).toEqual([expect.stringMatching(/^skeprun_/), expect.stringMatching(/^skeprun_/)]);
    for (const word of ['printed', 'printed in two pieces', 'told', 'failure', 'reported', 'refused', 'result'])
      expect(places['what is kept']).toMatch(new RegExp(`${word}[:-]plain[:-]`));
    expect(Object.keys(worth).sort()).toEqual(worthRows.map(({ attempt }) => attempt).sort());
  });
});

/** As exfil.py puts them. */
function formsOf(token: string): Readonly<Record<string, string>> {
  const bytes = Buffer.from(token);
  const encoded = { hex: bytes.toString('hex'), base64: bytes.toString('base64') };
  return { plain: token, upper: token.toUpperCase(), ...encoded, reversed: bytes.reverse().toString() };
}

async function atGateway({ url }: Farm, tokens: readonly string[]): Promise<string> {
  const answers = tokens.map(token => callWith(url, token)('POST', '/gateway/report/get_context', {}));
  return statusesOf(await Promise.all(answers));
}

function statusesOf(answers: readonly Answer[]): string {
  return [...new Set(answers.map(({ status }) => status))].join();
}

/** Every row of the database, and what is told of each run. */
async function keptOf(farm: Farm): Promise<readonly string[]> {
  const rows = Object.values(await contents(await databaseOf(farm))).flat();
  const { body } = await farm.call('GET', '/api/runs');
  const runs = (body['runs'] as { id: string }[]).flatMap(({ id }) => [`/api/runs/${id}/log`, `/api/runs/${id}/transcript`]);
  const headers = { authorization: `Bearer ${farm.token}` };
  const texts = await Promise.all(runs.map(async path => (await fetch(`${farm.url}${path}`, { headers })).text()));
  return [...rows, ...texts];
}
