type Headers = Readonly<Record<string, string>>;

/** How long the provider asks to wait, by its header: seconds, or a date. Milliseconds; null where it says nothing. */
export function retryAfterOf(headers: Headers, nowMs: number): number | null {
  const exact = /^\d{1,9}(\.\d+)?$/.exec(headers['retry-after-ms'] ?? '')?.[0];
  if (exact !== undefined) return Math.ceil(Number(exact));
  const text = headers['retry-after'];
  if (text === undefined) return null;
  if (/^\d{1,9}(\.\d+)?$/.test(text)) return Math.ceil(Number(text) * 1_000);
  const at = text.endsWith('GMT') ? Date.parse(text) : Number.NaN;
  return Number.isNaN(at) ? null : Math.max(0, at - nowMs);
}

/** Milliseconds until a limit that is used up is given again, by the headers of any answer; 0 where nothing is used up. */
export function holdOf(headers: Headers, nowMs: number): number {
  const waits = [
    ...['requests', 'tokens', 'input-tokens', 'output-tokens'].map(what => {
      const left = headers[`anthropic-ratelimit-${what}-remaining`];
      return left === '0' ? Date.parse(headers[`anthropic-ratelimit-${what}-reset`] ?? '') - nowMs : 0;
    }),
    ...['requests', 'tokens'].map(what =>
      headers[`x-ratelimit-remaining-${what}`] === '0' ? (durationOf(headers[`x-ratelimit-reset-${what}`] ?? '') ?? 0) : 0,
    ),
  ];
  return Math.max(0, ...waits.filter(Number.isFinite));
}

/** `1s`, `6m0s`, `20ms`, `1h2m3.5s`, in milliseconds. */
function durationOf(text: string): number | undefined {
  const match = /^(?=\d)(?:(\d{1,5})h)?(?:(\d{1,5})m(?!s))?(?:(\d{1,5}(?:\.\d+)?)s)?(?:(\d{1,9}(?:\.\d+)?)ms)?$/.exec(text);
  if (match === null) return undefined;
  const [hours, minutes, seconds, milliseconds] = match.slice(1).map(part => Number(part ?? 0));
  return Math.ceil((hours ?? 0) * 3_600_000 + (minutes ?? 0) * 60_000 + (seconds ?? 0) * 1_000 + (milliseconds ?? 0));
}
