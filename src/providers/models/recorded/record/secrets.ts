/** What stands in a recording where a secret was. */
export const removed = '[secret removed]';

/** Shapes of keys and tokens. The first group, where there is one, is kept. */
const shapes: readonly RegExp[] = [
  /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g,
  /\bsk-[A-Za-z0-9_-]{16,}/g,
  /\bskep(?:run)?_[A-Za-z0-9_-]{16,}/g,
  /\b(?:gh[opsur]|glpat|github_pat)[_-][A-Za-z0-9_-]{20,}/g,
  /\b(?:AKIA|ASIA)[0-9A-Z]{16}\b/g,
  /\bAIza[0-9A-Za-z_-]{35}/g,
  /\bxox[abeoprs]-[A-Za-z0-9-]{10,}/g,
  /\bnpm_[A-Za-z0-9]{36}\b/g,
  /\beyJ[A-Za-z0-9_-]{8,}[.]eyJ[A-Za-z0-9_-]{8,}[.][A-Za-z0-9_-]*/g,
  /\b([Bb]earer\s+)[A-Za-z0-9._~+/-]{16,}=*/g,
  /\b([a-z][a-z0-9+.-]*:\/\/[^\s:/@]*:)[^\s:/@]+(?=@)/gi,
  /((?:api[_-]?key|token|secret|password|passwd)["']?\s*[:=]\s*["'])[^"'\s]{8,}/gi,
];

const knownLengthMin = 8;

/** Takes out what looks like a key or a token, and every one of `known` that is long enough to be one. */
export function withoutSecrets(text: string, known: readonly string[]): string {
  const longestFirst = known.filter(secret => secret.length >= knownLengthMin).sort((a, b) => b.length - a.length);
  const unknown = longestFirst.reduce((rest, secret) => rest.replaceAll(secret, removed), text);
  return shapes.reduce(
    (rest, shape) => rest.replace(shape, (_all, kept: unknown) => `${typeof kept === 'string' ? kept : ''}${removed}`),
    unknown,
  );
}

/** The same for every text in a document, names of fields included. */
export function documentWithoutSecrets(value: unknown, known: readonly string[]): unknown {
  if (typeof value === 'string') return withoutSecrets(value, known);
  if (Array.isArray(value)) return value.map(item => documentWithoutSecrets(item, known));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [withoutSecrets(key, known), documentWithoutSecrets(item, known)]),
  );
}
