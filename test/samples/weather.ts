import { answers } from '../harness/model-answers.ts';
import { cut, type Reply } from '../harness/scripted-model.ts';

/** Models whose answers are no weather: what runs of their own have to give up. */
export const closedModels = ['unauthorized', 'forbidden'] as const;

/** What a model says first, by its name; then all is well. The first call of each asks for one piece, the second for a stream. */
export function weather(key: string): Record<string, Reply[]> {
  const refuse = (status: number, message: string, headers = {}): Reply => ({
    ...{ status, headers },
    parts: [JSON.stringify({ error: { message, type: 'some_error' } })],
  });
  const fine = answers.chat;
  const whole: Reply = { parts: [fine.whole] };
  const events: Reply = { parts: fine.events };
  return {
    limited: [refuse(429, 'Slow down', { 'retry-after': '1' })],
    failing: [refuse(500, 'Oops'), refuse(500, 'Oops')],
    overloaded: [refuse(529, 'Overloaded')],
    erring: [
      { parts: [JSON.stringify({ error: { message: 'Overloaded', code: 503 } })] },
      whole,
      { parts: [fine.overloaded] },
      events,
    ],
    cut: [whole, { parts: [...fine.events.slice(0, 2), cut] }],
    early: [whole, { parts: fine.events.slice(0, 2) }],
    stranger: [refuse(401, `Incorrect API key provided: ${key}`)],
    unauthorized: [refuse(401, `Incorrect API key provided: ${key}`)],
    forbidden: [refuse(403, `${key} may not use this model`)],
    refused: [refuse(400, 'The prompt is longer than the model takes'), refuse(400, 'The prompt is longer than the model takes')],
  };
}
