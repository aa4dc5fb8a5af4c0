import { z } from 'zod';
import { type Agent, modelName } from '../projects.ts';

/** Ways of asking a model; see docs/gateway.md. */
export const wires = ['anthropic', 'chat', 'responses', 'gemini'] as const;
export type ModelWire = (typeof wires)[number];

/** Over which wire an agent asks for its model; undefined where that is its own affair, or it asks for none. */
export function wireOfAgent(agent: Agent): ModelWire | undefined {
  switch (agent.kind) {
    case 'claude':
      return 'anthropic';
    case 'codex':
      return 'responses';
    case 'gemini':
      return 'gemini';
    case 'qwen':
      return 'chat';
    case 'model':
      return ownWireOf(agent.model);
    case 'opencode':
    case 'pi':
      return wireNamed(agent.model);
    default:
      return undefined;
  }
}

/** Over which wire Skep's own programs ask for a model: the agent `model`, and who plans. */
export function ownWireOf(model: string): 'anthropic' | 'chat' | 'gemini' {
  const wire = wireNamed(model);
  return wire === 'responses' ? 'chat' : wire;
}

/** Of agents that speak several: that of the model's provider, for all others the one that most speak. */
function wireNamed(model: string): ModelWire {
  if (/^(?:anthropic\/|claude-)/.test(model)) return 'anthropic';
  if (/^(?:gemini\/|gemini-)/.test(model)) return 'gemini';
  if (/^(?:openai\/|gpt-|o\d|codex-)/.test(model)) return 'responses';
  return 'chat';
}

export const modelFilter = z.object({
  name: modelName.optional().meta({ description: 'Only this one; refused with what to do about it where it cannot be asked' }),
  wire: z.enum(wires).optional().meta({ description: 'Over which it is to be asked; absent: over any' }),
});

export const model = z
  .object({
    name: z.string(),
    wires: z.array(z.enum(wires)).meta({ description: 'Over which it can be asked' }),
    is_recorded: z.boolean().meta({ description: 'It plays a recording: no model is asked, and nothing is paid' }),
  })
  .meta({ id: 'Model' });
export const modelList = z.object({ models: z.array(model) });

export type WireModel = z.infer<typeof model>;
