import { z } from 'zod';
import { id, pageLimit, ticketId, time } from '../fields.ts';

/** What a budget is for: everything, or one project, spec, ticket, kind of agent or run; or each one of a kind. */
export const budgetScopes = ['tenant', 'project', 'spec', 'ticket', 'agent', 'run'] as const;

/** 0.80 of the cap `warned`, 0.95 `alerted`; `spent` at 1.00, or once a call was refused for lack of money or tokens. */
const budgetLevels = ['ok', 'warned', 'alerted', 'spent'] as const;

/** The scope id that stands for each one of its kind. */
export const eachOne = '*';

const usd = z
  .string()
  .regex(/^\d+\.\d{2,6}$/)
  .meta({ description: 'US dollars, exact to the millionth, such as 0.50' });
const usdDigits = /^\d{1,9}(\.\d{1,6})?$/;
const capUsd = z
  .union([z.string(), z.number()])
  .refine(value => usdDigits.test(String(value)), 'give dollars from 0 to 999999999, with at most 6 digits after the point')
  .meta({ description: 'US dollars from 0 to 999,999,999, with at most 6 digits after the point' });
const tokens = z.number().int().min(0).max(1_000_000_000_000_000);

const idOfScope = {
  tenant: z.literal(''),
  project: id,
  spec: id,
  ticket: ticketId,
  agent: z.string().regex(/^[a-z][a-z0-9_-]{0,39}$/),
  run: id,
} as const;
const idHints = {
  tenant: 'of the tenant itself there is no scope_id',
  project: 'give the id of a project, or * for each one',
  spec: 'give the id of a spec, or * for each one',
  ticket: 'give the id of a ticket such as TKT-001, or * for each one',
  agent: 'give the kind of an agent such as codex, or * for each one',
  run: 'give the id of a run, or * for each one',
} as const;

/** What it sets is the whole of it: a cap that is not given is none. */
export const budgetPut = z
  .strictObject({
    scope: z.enum(budgetScopes),
    scope_id: z.string().max(200).default('').meta({ description: 'What of that scope; * for each one; nothing for the tenant' }),
    cap_usd: capUsd.nullish(),
    cap_tokens: tokens.nullish().meta({ description: 'Tokens in and out together, those of a cache too' }),
  })
  .superRefine(({ scope, scope_id, cap_usd, cap_tokens }, context) => {
    const isEach = scope !== 'tenant' && scope_id === eachOne;
    if (!isEach && !idOfScope[scope].safeParse(scope_id).success) {
      context.addIssue({ code: 'custom', path: ['scope_id'], message: idHints[scope] });
    }
    if ((cap_usd ?? cap_tokens ?? null) === null) {
      context.addIssue({ code: 'custom', path: ['cap_usd'], message: 'give cap_usd, cap_tokens or both' });
    }
  });

export const budget = z
  .object({
    id,
    scope: z.enum(budgetScopes),
    scope_id: z.string(),
    name: z.string().nullable().meta({ description: 'Of a project or a spec, what it is called' }),
    template_id: id.nullable().meta({ description: 'The budget for each one that this one was made from' }),
    cap_usd: usd.nullable(),
    cap_tokens: z.number().int().nullable(),
    spent_usd: usd,
    spent_tokens: z.number().int(),
    reserved_usd: usd.meta({ description: 'What the calls that are on their way may cost at the most' }),
    reserved_tokens: z.number().int(),
    level: z.enum(budgetLevels),
    created_at: time,
    updated_at: time,
  })
  .meta({ id: 'Budget' });

export const budgetFilter = z.object({
  scope: z.enum(budgetScopes).optional(),
  scope_id: z.string().max(200).optional(),
  limit: pageLimit,
});
export const budgetList = z.object({ budgets: z.array(budget) });

export const costGroups = ['project', 'spec', 'ticket', 'agent', 'model', 'run', 'day'] as const;
const costFormats = ['json', 'csv'] as const;

/** What stands beside every figure of a recorded call. */
export const recordedNote = 'recorded demo: nothing was paid';

export const costFilter = z.object({
  by: z.enum(costGroups).default('project'),
  project_id: id.optional(),
  spec_id: id.optional(),
  ticket_id: ticketId.optional(),
  run_id: id.optional(),
  since: time.optional().meta({ description: 'Only calls that began at this time or later' }),
  until: time.optional().meta({ description: 'Only calls that began before this time' }),
  format: z.enum(costFormats).default('json'),
});

const count = z.number().int();
const sums = {
  calls: count,
  failed_calls: count,
  lost_calls: count.meta({ description: 'Their server died; they count as all that they had reserved' }),
  open_calls: count.meta({ description: 'On their way; not in the sums yet' }),
  unpriced_calls: count.meta({ description: 'Of models whose price nobody knows; in no sum of money' }),
  unpriced_models: z.array(z.string()),
  input_tokens: count.meta({ description: 'Without those of the cache' }),
  cached_tokens: count,
  cache_write_tokens: count,
  output_tokens: count,
  reasoning_tokens: count.meta({ description: 'Part of output_tokens' }),
  cost_usd: usd,
};

export const costRow = z
  .object({
    key: z.string().nullable(),
    name: z.string().nullable(),
    is_recorded: z.boolean(),
    note: z
      .string()
      .nullable()
      .meta({ description: `Of recorded calls: ${recordedNote}` }),
    ...sums,
  })
  .meta({ id: 'CostRow' });

/** Sums of what was paid and of what was recorded stand apart. */
export const costs = z
  .object({
    by: z.enum(costGroups),
    rows: z.array(costRow),
    is_cut: z.boolean().meta({ description: 'There are more groups; the totals are of all of them' }),
    total: z.object(sums).meta({ description: 'What was paid: all calls that were not recorded' }),
    recorded_total: z
      .object({ ...sums, note: z.string() })
      .nullable()
      .meta({ description: 'What the recorded calls would have cost; null where there were none' }),
  })
  .meta({ id: 'Costs' });

/** Exact: micro-USD as dollars, with at least two digits after the point. */
export function usdText(microUsd: number): string {
  const digits = String(microUsd).padStart(7, '0');
  const fraction = digits.slice(-6).replace(/0{1,4}$/, '');
  return `${digits.slice(0, -6)}.${fraction}`;
}

/** Exact: dollars as micro-USD. Throws for what is no amount. */
export function microUsd(given: string | number): number {
  const text = String(given);
  if (!usdDigits.test(text)) throw new Error(`${text} is no amount in dollars`);
  const [whole = '0', fraction = ''] = text.split('.');
  return Number(whole) * 1_000_000 + Number(fraction.padEnd(6, '0'));
}

export type BudgetScope = (typeof budgetScopes)[number];
export type CostGroup = (typeof costGroups)[number];
export type WireBudget = z.infer<typeof budget>;
export type WireCosts = z.infer<typeof costs>;
export type WireCostRow = z.infer<typeof costRow>;
