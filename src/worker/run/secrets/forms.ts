/** Bits of a byte, and of a letter of base64. */
const byteBits = 8;
const letterBits = 6;

/** A token as it may stand in what a program prints: as it is, as a name of a host has it, in hex, or in base64 of a text with it. */
export function formsOf(token: string): readonly string[] {
  const hex = Buffer.from(token).toString('hex');
  const packed = [0, 1, 2].map(before => base64Of(token, before));
  const inUrls = packed.map(each => each.replaceAll('+', '-').replaceAll('/', '_'));
  return [...new Set([token, token.toLowerCase(), token.toUpperCase(), hex, hex.toUpperCase(), ...packed, ...inUrls])];
}

/** The letters that are the same whatever stands around the token, with so many bytes before it in its group of three. */
function base64Of(token: string, before: number): string {
  const bytes = Buffer.concat([Buffer.alloc(before), Buffer.from(token)]);
  const begin = Math.ceil((before * byteBits) / letterBits);
  const end = Math.floor((bytes.length * byteBits) / letterBits);
  return bytes.toString('base64').slice(begin, end);
}
