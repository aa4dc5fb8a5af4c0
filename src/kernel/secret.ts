import { createHash, randomBytes } from 'node:crypto';

/** 256 bits in base64url: 43 characters, safe in a header and a URL. */
export function randomSecret(): string {
  return randomBytes(32).toString('base64url');
}

/** What is stored of a secret. A plain hash is enough: the secret has 256 random bits and cannot be guessed. */
export function hashSecret(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}
