import type { Client } from '../../../../src/gateway/call/types.ts';
import type { Gateway } from '../../../../src/gateway/index.ts';
import { Fault } from '../../../../src/kernel/fault.ts';
import { askHuman, type AskParts } from '../../../../src/observers/report-back/ask.ts';
import { type RunContext, runOfToken } from '../../../../src/stages/runs/index.ts';
import type { World } from '../parts.ts';
import type { AgentVerbs } from './agent-verbs.ts';

interface AgentParts extends Omit<AskParts, 'waits'> {
  readonly world: World;
  /** Where its agents ask models. */
  readonly gateway: Gateway | undefined;
}

export function agentVerbs({ world, gateway, ...parts }: AgentParts): AgentVerbs {
  const asking = { ...parts, waits: new Map<string, number>() };

  async function identified(runToken: string): Promise<RunContext> {
    const since = world.scheduler.now();
    const run = await runOfToken(parts.database, runToken);
    world.witness.identified(runToken, since);
    return run;
  }

  return {
    async callModel(runToken, gone) {
      const run = await identified(runToken);
      if (gateway === undefined) throw new Fault('no_model', { message: 'there is no gateway' });
      const model = run.model ?? '';
      const body = { model, messages: [{ role: 'user', content: 'what is next?' }], max_tokens: 400 };
      let answered = 0;
      const client: Client = { ...nobody, answer: status => void (answered = status) };
      await gateway.answer(
        { run, wire: 'chat', operation: 'generate', body, model, isStream: false, headers: {} },
        { client, gone },
      );
      if (answered === 0) throw new Fault('server_unavailable', { message: 'the connection was cut' });
      return answered;
    },
    async askHuman(runToken, asked, gone) {
      const run = await identified(runToken);
      return askHuman(asking, run, { asked, waiting: { signal: gone, onWait: () => {} } });
    },
  };
}

/** Who asks for an answer in one piece hears no stream. */
const nobody: Client = { answer() {}, begin() {}, write: () => Promise.resolve(), end() {}, cut() {} };
