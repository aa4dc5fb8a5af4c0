import { modelList, ownWireOf, wireOfAgent } from '../../../../contract/models/catalog.ts';
import type { ModelWire } from '../../../../contract/models/catalog.ts';
import { modelOf } from '../../../../contract/projects.ts';
import type { Agent, Planner, WireProject } from '../../../../contract/projects.ts';
import { routeIn } from '../../../../contract/templates/router.ts';
import { isFault } from '../../../kernel/fault.ts';
import { usage } from '../../command.ts';
import type { Context } from '../../context.ts';
import { printable } from '../../output/text.ts';
import { builtType, faultOf, handsOf, worksOf } from './works.ts';
import type { Works } from './works.ts';

interface Wishes {
  readonly agent?: Agent;
  readonly planner?: Planner | null;
}

/**
 * Before a build is begun in a project: that somebody works on what it makes, and that the models of all who may, and of who is to plan,
 * can be asked. Throws a usage error, or Fault `no_model`, which says what to set, or `unknown_model`, which says what there is; of a
 * template with its version and the field. Of one that only stands in, that is noted.
 */
export async function checkBuild(
  context: Context,
  project: Pick<WireProject, 'agent' | 'router'>,
  { agent, planner }: Wishes,
): Promise<void> {
  const works = await worksOf(context, project, agent === undefined ? {} : { agent });
  refuseNobody(works);
  for (const hand of await handsOf(context, works)) {
    try {
      await checkModels(context, hand);
    } catch (error) {
      if (!isFault(error) || (error.code !== 'no_model' && error.code !== 'unknown_model')) throw error;
      const fault = faultOf(hand, 'agent.model', error);
      if (!hand.isSpare) throw fault;
      note(context, fault.message);
    }
  }
  await checkModels(context, { planner });
}

/** Whether the server can ask the models of an agent and of a planner. Throws Fault `no_model`, `unknown_model`. */
export async function checkModels(
  context: Context,
  { agent, planner }: { readonly agent?: Agent | undefined; readonly planner?: Planner | null | undefined },
): Promise<void> {
  const model = modelOf(agent);
  if (agent !== undefined && model !== undefined) await check(context, model, wireOfAgent(agent));
  if (planner !== undefined && planner !== null) await check(context, planner.model, ownWireOf(planner.model));
}

async function check({ client }: Context, name: string, wire: ModelWire | undefined): Promise<void> {
  await client.request('GET', '/api/models', { query: { name, wire }, schema: modelList });
}

function note({ json, show, err }: Context, text: string): void {
  if (json) show({ event: 'note', text }, () => '');
  else err.write(`${printable(text)}\n`);
}

function refuseNobody({ agent, templates }: Works): void {
  if (agent !== null || routeIn(templates, builtType) !== undefined) return;
  if (templates !== null)
    throw usage(
      'Nobody would work on the features of this build: the project has no agent, and no route names a template for them',
      'Give it an agent, such as --agent codex --model openai/gpt-5-codex, or a template: skep project set NAME --default-template TEMPLATE',
    );
  throw usage(
    "The agent's command is missing",
    "Such as: --command 'node agent.js'. It gets the ticket as JSON on stdin and runs in a sandbox",
  );
}
