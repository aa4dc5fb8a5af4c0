import { Option } from 'commander';
import type { Command } from 'commander';
import { result, resultList as resultsSchema } from '../../../contract/results.ts';
import type { WireResult } from '../../../contract/results.ts';
import { checkText, count } from '../build/view/words.ts';
import { noun, remoteCommand, usage } from '../command.ts';
import { connect } from '../context.ts';
import type { Context, RemoteOptions, World } from '../context.ts';
import { Fault } from '../../kernel/fault.ts';
import { isUuid, shortId } from '../input/id.ts';
import { onePage, printList } from '../output/list.ts';
import { fields } from '../output/table.ts';
import { painted, printable } from '../output/text.ts';
import { allSessions, findSession } from '../session/find.ts';
import { specId } from '../ticket/find.ts';

export function resultCommands(world: World): Command {
  return noun('result', 'What a spec has come to, with the evidence', [
    resultList(world),
    resultShow(world),
    resultSubmit(world),
    resultValidate(world),
  ]);
}

interface SpecOptions extends RemoteOptions {
  readonly session?: string;
  readonly spec?: string;
}

function withSpec(command: Command): Command {
  return command
    .option('--session <id>', 'the spec of this session; may be shortened')
    .option('--spec <id>', 'the spec; may be shortened');
}

async function specOfOptions(context: Context, { session, spec }: SpecOptions): Promise<string> {
  if ((session === undefined) === (spec === undefined)) throw usage('Give either --session or --spec');
  if (spec !== undefined) return specId(context, spec);
  const { spec_id } = await findSession(context, session ?? '');
  if (spec_id === null) throw usage('This session has no spec card yet');
  return spec_id;
}

async function resultsOf({ client }: Context, spec: string): Promise<WireResult[]> {
  return (await client.request('GET', `/api/specs/${spec}/results`, { schema: resultsSchema })).results;
}

function resultList(world: World): Command {
  const command = remoteCommand({
    name: 'list',
    description: 'List the results that were submitted for a spec',
    examples: ['skep result list --session 3f2a'],
  });
  return withSpec(command).action(async (options: SpecOptions) => {
    const context = await connect(world, options);
    const spec = await specOfOptions(context, options);
    await printList(context, {
      pages: onePage(resultsOf(context, spec)),
      columns: [
        { title: 'ID', value: result => shortId(result.id) },
        { title: 'VERSION', value: result => result.version },
        { title: 'STATE', value: result => result.state, paint: (text, { state }) => paintedState(context, state, text) },
        { title: 'PROOF', value: result => result.proof },
        { title: 'BY', value: result => result.submitted_by, max: 24 },
        { title: 'CREATED', value: result => result.created_at.slice(0, 19) },
        { title: 'SUMMARY', value: result => result.summary.slice(0, 200) },
      ],
      none: 'No result was submitted yet. Skep submits one when the last ticket is completed.',
    });
  });
}

function resultShow(world: World): Command {
  const command = remoteCommand({
    name: 'show',
    description: 'Show a result: what was merged, and by what it is proven',
    examples: ['skep result show --session 3f2a', 'skep result show 9c1d'],
  }).argument('[id]', 'the result, which may be shortened; default: the newest of the spec');
  return withSpec(command).action(async (id: string | undefined, options: SpecOptions) => {
    const context = await connect(world, options);
    const found = id === undefined ? await newest(context, options) : await findResult(context, id);
    context.show(found, () => resultText(context, found));
  });
}

interface SubmitOptions extends SpecOptions {
  readonly summary: string;
}

function resultSubmit(world: World): Command {
  const command = remoteCommand({
    name: 'submit',
    description: 'Submit a result by hand; Skep does so by itself when the last ticket is completed',
    examples: ["skep result submit --session 3f2a --summary 'Good as it is'"],
  }).requiredOption('--summary <text>', 'what was done');
  return withSpec(command).action(async (options: SubmitOptions) => {
    const context = await connect(world, options);
    const spec = await specOfOptions(context, options);
    const made = await context.client.request('POST', `/api/specs/${spec}/results`, {
      body: { summary: options.summary },
      schema: result,
    });
    context.show(made, () => resultText(context, made));
  });
}

interface ValidateOptions extends RemoteOptions {
  readonly reject?: string;
}

function resultValidate(world: World): Command {
  const command = remoteCommand({
    name: 'validate',
    description: 'Accept a result, which completes its spec; or reject it with a reason',
    examples: ['skep result validate 9c1d', "skep result validate 9c1d --reject 'The API is missing'"],
  })
    .argument('<id>', 'the result; may be shortened')
    .addOption(new Option('--reject <reason>', 'it is not what was asked for, and why'));
  return command.action(async (id: string, options: ValidateOptions) => {
    const context = await connect(world, options);
    const { id: resultId } = await findResult(context, id);
    const body = options.reject === undefined ? { valid: true } : { valid: false, reason: options.reject };
    const now = await context.client.request('POST', `/api/results/${resultId}/validate`, { body, schema: result });
    context.show(now, () => resultText(context, now));
  });
}

async function newest(context: Context, options: SpecOptions): Promise<WireResult> {
  const all = await resultsOf(context, await specOfOptions(context, options));
  const found = [...all].sort((a, b) => b.version - a.version)[0];
  if (found === undefined) throw new Fault('result_not_found', { message: 'No result was submitted for this spec yet' });
  return found;
}

/** Results are listed by their spec: the one is looked for in all of them. */
async function findResult(context: Context, given: string): Promise<WireResult> {
  const specs = new Set((await allSessions(context)).flatMap(({ spec_id }) => (spec_id === null ? [] : [spec_id])));
  const id = given.toLowerCase();
  if (!isUuid(id) && !/^[0-9a-f-]{4,}$/.test(id))
    throw usage(`'${given}' is no id of a result`, 'See: skep result list --session ID');
  const matching: WireResult[] = [];
  for (const spec of specs) matching.push(...(await resultsOf(context, spec)).filter(each => each.id.startsWith(id)));
  const [only, second] = matching;
  if (only === undefined) throw new Fault('result_not_found', { message: `No result begins with ${given}` });
  if (second !== undefined) throw usage(`${given} is the beginning of ${matching.length} results`, 'Give more of it');
  return only;
}

function resultText(context: Context, it: WireResult): string {
  const { branch, base_sha, head_sha, tickets } = it.evidence;
  const head = fields([
    ['id', it.id],
    ['version', it.version],
    ['state', it.state, text => paintedState(context, it.state, text)],
    ['proof', it.proof === 'proven' ? 'proven' : 'unproven: at least one ticket was merged without a check'],
    ['summary', it.summary],
    ['reason', it.reason],
    ['by', it.submitted_by],
    ['branch', branch],
    ['base', base_sha],
    ['head', head_sha],
    ['criteria', it.criteria.map(line => `- ${line}`).join('\n')],
    ['created', it.created_at],
    ['decided', it.decided_at],
  ]);
  const lines = tickets.flatMap(({ ticket_id, title, proof, merge_sha, checks }) => [
    `${ticket_id}  ${(merge_sha ?? 'not merged').slice(0, 12)}  ${proof ?? ''}  ${printable(title)}`,
    ...checks.map(check => `         ${checkText(check)}`),
  ]);
  return [head, '', count(tickets.length, 'ticket'), ...lines].join('\n');
}

function paintedState({ out }: Context, state: WireResult['state'], text: string): string {
  const like = { submitted: 'waiting', validated: 'completed', rejected: 'failed' };
  return painted(out, like[state], text);
}
