import { readFileSync } from 'node:fs';
import { Fault } from '../kernel/fault.ts';
import type { Context, RemoteOptions, World } from './world.ts';

/** What was said of the server, by options and by the environment. */
export async function addressed(world: World, options: RemoteOptions) {
  const settings = await world.settings({
    SKEP_SERVER: options.server,
    SKEP_TOKEN: givenToken(options),
    SKEP_HOME: options.home,
  });
  const wasTyped = [options.server, options.token, options.tokenFile].some(value => value !== undefined);
  return { settings, token: settings.SKEP_TOKEN, isNamed: wasTyped || settings.SKEP_SERVER !== usualServer };
}

/** Who names this one names none: it is what stands for one that was not named. */
const usualServer = 'http://127.0.0.1:8080';

interface Address {
  readonly server: string;
  readonly token: string | undefined;
  readonly json: boolean;
}

export async function contextAt(world: World, { server: given, token, json }: Address): Promise<Context> {
  const { createClient } = await import('../client/index.ts');
  const server = given.replace(/\/+$/, '');
  const { out, err, clock } = world;
  return {
    out,
    err,
    clock,
    server,
    token,
    client: createClient({ server, token, clock }),
    json,
    isTerminal: world.input.isTerminal && err.isTerminal,
    show: (document, text) => out.write(json ? `${JSON.stringify(document)}\n` : withNewline(text())),
  };
}

function givenToken({ token, tokenFile }: RemoteOptions): string | undefined {
  if (token !== undefined || tokenFile === undefined) return token;
  try {
    return readFileSync(tokenFile, 'utf8').trim();
  } catch (cause) {
    throw new Fault('invalid_config', {
      message: `The token file ${tokenFile} cannot be read`,
      hint: 'Give --token-file the path of a file that holds nothing but the token',
      cause,
    });
  }
}

function withNewline(text: string): string {
  return text === '' || text.endsWith('\n') ? text : `${text}\n`;
}
