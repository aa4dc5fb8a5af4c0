/** The list of models, in the forms in which the wires' clients read it. */
export function listAsOpenAi(names: readonly string[]): object {
  return { object: 'list', data: names.map(id => ({ id, object: 'model', created: 0, owned_by: 'skep' })) };
}

export function listAsAnthropic(names: readonly string[]): object {
  const data = names.map(id => ({ type: 'model', id, display_name: id, created_at: '1970-01-01T00:00:00Z' }));
  return { data, has_more: false, first_id: names[0] ?? null, last_id: names.at(-1) ?? null };
}

export function listAsGemini(names: readonly string[]): object {
  return {
    models: names.map(name => ({
      name: `models/${name}`,
      displayName: name,
      supportedGenerationMethods: ['generateContent', 'countTokens'],
    })),
  };
}
