/**
 * The wire on which an agent that speaks several asks for a model: that of its provider, since the gateway translates none; for all
 * others the one that most speak. The server is told the same by the contract.
 */
export function wireOf(model: string): 'anthropic' | 'gemini' | 'responses' | 'chat' {
  if (/^(?:anthropic\/|claude-)/.test(model)) return 'anthropic';
  if (/^(?:gemini\/|gemini-)/.test(model)) return 'gemini';
  if (/^(?:openai\/|gpt-|o\d|codex-)/.test(model)) return 'responses';
  return 'chat';
}
