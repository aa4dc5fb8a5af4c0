import { fieldsOf } from './json.ts';

/** What a request has at most; undefined where it is nested deeper than any real one. */
export function estimateTokens(body: unknown): number | undefined {
  let halves = 0;
  let media = 0;
  const waiting: { value: unknown; depth: number }[] = [{ value: body, depth: 0 }];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { value, depth } = next;
    if (depth > depthMax) return undefined;
    if (typeof value === 'string') halves += halvesOf(value);
    else if (Array.isArray(value)) for (const item of value) waiting.push({ value: item, depth: depth + 1 });
    else if (typeof value === 'object' && value !== null) {
      const isMedia = holdsMedia(value);
      if (isMedia) media += mediaTokens;
      for (const [key, field] of Object.entries(value)) {
        halves += halvesOf(key) + punctuationHalves;
        if (!(isMedia && typeof field === 'string' && mediaFields.has(key))) waiting.push({ value: field, depth: depth + 1 });
      }
    } else halves += punctuationHalves;
  }
  return Math.ceil(halves / 2) + media + envelopeTokens;
}

/**
 * In half tokens. No tokenizer in use makes more than one token of two bytes of English or of code on average (four bytes are usual),
 * but one byte may be one token where a script is not Latin, and some make one of each digit. Settling replaces the bound by what the provider counted.
 */
export function halvesOf(text: string): number {
  let halves = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    // Of UTF-16: below U+0800 two bytes, a half of a surrogate pair two of the four, else three.
    if (unit < 0x80) halves += unit >= 0x30 && unit < 0x3a ? 2 : 1;
    else halves += 2 * (unit < 0x800 || (unit >= 0xd800 && unit < 0xe000) ? 2 : 3);
  }
  return halves;
}

/** Nothing that an agent sends has a third of it. */
const depthMax = 100;
/** Quotes, colon, comma and braces around a field. */
const punctuationHalves = 4;
/** What the provider adds of its own around messages and tools. */
const envelopeTokens = 500;
/**
 * An image costs by its size in pixels and not by its bytes: 1,600 tokens is the most at Anthropic, about 1,500 at OpenAI, 258 a tile at
 * Gemini. 5,000 is above all of them, and far below what its base64 would be counted as text.
 */
const mediaTokens = 5_000;

/** Where the bytes stand, or their place: words beside them are words. */
const mediaFields: ReadonlySet<string> = new Set(['data', 'url', 'image_url', 'file_id', 'fileUri', 'file_uri']);

/** An object whose strings are the bytes, or the place, of an image or a sound: in each of the wires' forms. A document is text. */
function holdsMedia(value: object): boolean {
  const fields = fieldsOf(value) ?? {};
  if (typeof (fields['file_id'] ?? fields['fileUri'] ?? fields['file_uri']) === 'string') return true;
  const type = fields['media_type'] ?? fields['mimeType'] ?? fields['mime_type'];
  if (typeof type === 'string') return /^(image|audio|video)\//.test(type);
  const url = fields['image_url'] ?? fields['url'];
  if (typeof url === 'string') return /^(data:(image|audio|video)\/|https?:)/.test(url);
  return typeof fields['data'] === 'string' && (fields['format'] === 'wav' || fields['format'] === 'mp3');
}
