import { recordedNote } from '../../../../contract/models/budgets.ts';
import type { WireCosts } from '../../../../contract/models/budgets.ts';
import { count } from '../view/words.ts';

type Sums = WireCosts['total'];

/** Calls of models, tokens and money, as the gateway has counted them; what was recorded stands apart from what was paid. */
export function costFacts({ total, recorded_total: recorded }: WireCosts): readonly (readonly [string, string | null])[] {
  const paid = total.calls === 0 && recorded !== null ? [] : [{ sums: total, note: '' }];
  const kinds = [...paid, ...(recorded === null ? [] : [{ sums: recorded, note: ` (${recordedNote})` }])];
  return kinds.flatMap(({ sums, note }) =>
    sums.calls === 0
      ? []
      : ([
          ['model calls', `${callsText(sums)}${note}`],
          ['tokens', `${tokensText(sums)}${note}`],
          ['cost', `${moneyText(sums)}${note}`],
        ] as const),
  );
}

/** The same for programs. */
export function costFields({ total, recorded_total: recorded }: WireCosts): object {
  return {
    recorded: recorded !== null,
    model_calls: total.calls + (recorded?.calls ?? 0),
    costs: fieldsOf(total),
    recorded_costs: recorded === null ? null : { ...fieldsOf(recorded), note: recordedNote },
  };
}

function fieldsOf(sums: Sums): object {
  const { calls, failed_calls, unpriced_calls, input_tokens, cached_tokens, cache_write_tokens, output_tokens, cost_usd } = sums;
  return { calls, failed_calls, unpriced_calls, input_tokens, cached_tokens, cache_write_tokens, output_tokens, cost_usd };
}

function callsText({ calls, failed_calls: failed }: Sums): string {
  return `${grouped(calls)}${failed === 0 ? '' : `, ${failed} of them failed`}`;
}

function tokensText({ input_tokens, cached_tokens, cache_write_tokens, output_tokens }: Sums): string {
  const parts = [
    `${grouped(input_tokens + cache_write_tokens)} in`,
    ...(cached_tokens === 0 ? [] : [`${grouped(cached_tokens)} from the cache`]),
    `${grouped(output_tokens)} out`,
  ];
  return parts.join(', ');
}

function moneyText({ cost_usd, unpriced_calls: unpriced, unpriced_models: models }: Sums): string {
  const left = unpriced === 0 ? '' : `; ${count(unpriced, 'call')} of ${models.join(', ')} without a known price`;
  return `$${cost_usd}${left}`;
}

/** `1,234,567`, wherever one is. */
function grouped(value: number): string {
  return String(value).replaceAll(/\B(?=(\d{3})+$)/g, ',');
}
