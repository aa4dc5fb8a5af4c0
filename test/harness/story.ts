import type { SpecCardInput } from '../../contract/spec-card.ts';
import type { TestApi } from './server.ts';

type Feature = SpecCardInput['features'][number];

export function card(name: string, features: Feature[]): SpecCardInput {
  return { name, description: `what ${name} is for`, features };
}

/** A session whose card a person has approved; its id. */
export async function approvedSession(api: Pick<TestApi, 'call'>, spec: SpecCardInput, project = 'story'): Promise<string> {
  const opened = await api.call('POST', '/api/hitl', { project_name: project, description: spec.name });
  const id = String(opened.body['id']);
  for (const [step, body] of [
    ['generate-spec', { spec_card: spec }],
    ['approve', undefined],
  ] as const) {
    const answer = await api.call('POST', `/api/hitl/${id}/${step}`, body);
    if (answer.status !== 200) throw new Error(`${step}: ${JSON.stringify(answer.body)}`);
  }
  return id;
}
