import { z } from 'zod';
import { acpFields, clashIn } from './agents/acp.ts';
import { id, label, labelsMax, time, title } from './fields.ts';
import { networkRules } from './network/rules.ts';
import { isolationLevels } from './fleet/sandboxes.ts';
import { router } from './templates/router.ts';

export const commandLine = z.array(z.string().max(10_000)).min(1).max(100);

/** A model as the gateway knows it: `provider/model`, an alias, or a well-known name. */
export const modelName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._:@/-]{0,199}$/, 'a model is named like anthropic/claude-sonnet-4-5');

export const timeoutMs = z.number().int().min(100).max(86_400_000).meta({ description: 'Wall clock of one run, milliseconds' });
const timeout_ms = timeoutMs.optional();

const repositoryPathMax = 500;

/** Of a file in the repository: relative, with no way out of it and none into git's own folder. */
export const repositoryPath = z
  .string()
  .min(1)
  .max(repositoryPathMax)
  .refine(path => isInside(path), { error: 'give the path of a file in the repository, such as docs/notes.md' });

/** The same, in which `*`, `**` and `?` may stand for others. */
const repositoryPattern = z
  .string()
  .min(1)
  .max(repositoryPathMax)
  .refine(path => isInside(path), { error: 'give a path in the repository, or a pattern such as src/**/*.ts' });

const endpointUrl = z
  .url({ protocol: /^https?$/i, error: 'give a URL that starts with http:// or https://' })
  .max(2_000)
  .regex(/^[a-z]+:\/\/[^\s/?#@\\]+(?:[/?][^\s#\\]*)?$/i, 'the URL has no user, no password and no fragment');

function isInside(path: string): boolean {
  if (/[\u0000-\u001f\u007f\\]/.test(path)) return false;
  return path.split('/').every(part => part !== '' && part !== '.' && part !== '..' && part.toLowerCase() !== '.git');
}

/** Of those for work that needs no coding agent. */
export const plainFields = {
  output: repositoryPath.meta({ description: 'The file that the answer becomes, whole' }),
  prompt: z
    .string()
    .trim()
    .min(1)
    .max(20_000)
    .meta({ description: 'What the answer shall be like; the ticket is told in any case' }),
  files: z
    .array(repositoryPattern)
    .min(1)
    .max(50)
    .meta({ description: 'What the model is shown beside the file itself: paths, or patterns with *, ** and ?' }),
  url: endpointUrl.meta({
    description: 'Takes the ticket as JSON and answers with files; a rule of the network must name its host',
  }),
};

/** Agents that bring their own program; each has an adapter of this name. */
export const codingAgents = ['claude', 'codex', 'gemini', 'opencode', 'pi', 'qwen'] as const;

/**
 * The agent of a project. `exec` is a command of the user's own: the ticket comes as JSON on stdin and in $SKEP_TICKET; where it names
 * a model it is given the gateway too. `acp` is any other agent that speaks the Agent Client Protocol. `model` is no agent but one call of a model,
 * whose answer becomes a file. `http` is an endpoint that takes the ticket and answers with files.
 */
export const agent = z
  .discriminatedUnion('kind', [
    z.strictObject({
      kind: z.literal('exec'),
      command: commandLine.meta({ description: 'Program and arguments; not a shell string' }),
      model: modelName.optional(),
      timeout_ms,
    }),
    z
      .strictObject({
        kind: z.literal('acp'),
        command: commandLine.meta({
          description: 'Program and arguments of an agent that speaks the Agent Client Protocol on stdin and stdout',
        }),
        model: modelName,
        env: acpFields.env.optional(),
        home: acpFields.home.optional(),
        conversations: acpFields.conversations.optional(),
        timeout_ms,
      })
      .refine(fields => clashIn(fields) === undefined, {
        path: ['conversations'],
        error: ({ input }) => clashIn(input as Parameters<typeof clashIn>[0]) ?? '',
      }),
    z.strictObject({
      kind: z.literal('model'),
      model: modelName,
      output: plainFields.output,
      prompt: plainFields.prompt.optional(),
      files: plainFields.files.optional(),
      timeout_ms,
    }),
    z.strictObject({
      kind: z.literal('http'),
      url: plainFields.url,
      timeout_ms,
    }),
    ...codingAgents.map(kind => z.strictObject({ kind: z.literal(kind), model: modelName, timeout_ms })),
  ])
  .meta({ id: 'Agent' });

/** Who plans: a model that turns an idea into questions and a spec. */
export const planner = z.strictObject({ model: modelName }).meta({ id: 'Planner' });

/** A command that must end with 0 on a commit that is to be merged. */
export const check = z
  .strictObject({ name: title, command: commandLine.meta({ description: 'Program and arguments; not a shell string' }) })
  .meta({ id: 'Check' });

export const checksMax = 20;
const checks = z
  .array(check)
  .max(checksMax)
  .refine(list => new Set(list.map(each => each.name)).size === list.length, { error: 'the name of each check must be its own' });

/** Whether work that changes existing tests, checks or CI waits for a person. */
export const testChanges = z.enum(['ask', 'allow']);
/** Whether checks that are red on the base commit stop the build, or are left out of it. */
export const redBase = z.enum(['refuse', 'leave_out']);

/** Whether tickets that will touch the same files wait for each other. */
export const collisions = z.enum(['hold', 'allow']);
/** What a worker's machine must have for this project. */
const labels = z.array(label).max(labelsMax).meta({ description: 'Only workers with all of these labels work on it' });

/** The least isolation that a sandbox must give. */
const isolation = z.enum(isolationLevels).meta({ description: 'Runs wait for a worker whose sandboxes give at least this' });

/** A path on the server's machine or a URL that git can clone. `ext::` and the like are refused: they run commands. */
const repository = z
  .string()
  .trim()
  .min(1)
  .max(1_000)
  .refine(value => value.startsWith('/') || /^(https?|ssh|git|file):\/\/[^-]/.test(value), {
    error: 'give an absolute path, or a URL that starts with https://, http://, ssh://, git:// or file://',
  });

/** What is run once for each state of what the work depends on, before any agent: such as `npm ci`. */
export const setup = commandLine.nullable().meta({
  description: 'Program and arguments that bring the dependencies in, before any agent comes; null: none (docs/dependencies.md)',
});

const settings = z.object({
  repository,
  agent,
  planner,
  checks: checks.nullable().meta({ description: 'null: found at the base commit; an empty list: none, the work stays unproven' }),
  test_changes: testChanges,
  red_base: redBase,
  collisions,
  labels,
  isolation,
  network: networkRules,
  setup,
  router: router
    .nullable()
    .meta({ description: 'Which template works on which type of ticket; null: the agent above, or the router of the tenant' }),
});

export const projectCreate = z.strictObject({ name: title, ...settings.partial().shape });
export const projectEdit = z.strictObject(settings.partial().shape).refine(value => Object.keys(value).length > 0, {
  error:
    'give at least one field to change: repository, agent, planner, checks, test_changes, red_base, collisions, labels, isolation, network, setup or router',
});

export const project = z
  .object({
    id,
    name: z.string(),
    repository: z.string().nullable(),
    agent: agent.nullable(),
    planner: planner.nullable(),
    checks: checks.nullable(),
    test_changes: testChanges,
    red_base: redBase,
    collisions,
    labels,
    isolation,
    network: networkRules.default([]),
    setup: setup.default(null),
    router: router.nullable().default(null),
    created_at: time,
    updated_at: time,
  })
  .meta({ id: 'Project' });

export const projectList = z.object({ projects: z.array(project) });

export type Agent = z.infer<typeof agent>;
/** Those that a command of the user's own is: a program for tickets, or an agent that speaks ACP. */
export const commandAgents = ['exec', 'acp'] as const;

/** Those for work that needs no coding agent. */
export const plainAgents = ['model', 'http'] as const;

/** The model that an agent asks; undefined where it has none. */
export function modelOf(agent: Agent | null | undefined): string | undefined {
  return agent !== null && agent !== undefined && 'model' in agent ? agent.model : undefined;
}

/** A command of the user's own. */
export type ExecAgent = Extract<Agent, { kind: 'exec' }>;
export type Planner = z.infer<typeof planner>;
export type Check = z.infer<typeof check>;
export type WireProject = z.infer<typeof project>;
