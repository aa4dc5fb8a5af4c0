import { z } from 'zod';

/** As DNS has it; an underscore is in names of services. */
const label = '[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?';
const nameForm = new RegExp(`^${label}(?:\\.${label})*$`);
const nameLengthMax = 253;

/** Whether it is a name in the one form in which names are compared: small letters, no last dot, and no number that is read as an address. */
export function isHostName(text: string): boolean {
  const last = text.slice(text.lastIndexOf('.') + 1);
  return text.length <= nameLengthMax && nameForm.test(text) && !/^(?:\d+|0x[0-9a-f]*)$/.test(last);
}

const byte = '(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)';
const ipv4Form = new RegExp(`^${byte}(?:\\.${byte}){3}$`);

/** Four numbers from 0 to 255, and none of the other ways in which the same address can be written. */
export function isIpv4(text: string): boolean {
  return ipv4Form.test(text);
}

/** In brackets, as in a URL. Whether it is in its shortest form is for who parses addresses. */
function isBracketed(text: string): boolean {
  return /^\[[0-9a-f:.]{2,45}\]$/.test(text);
}

/** `*.example.org` is every name below example.org, and not that itself. */
function isPattern(text: string): boolean {
  if (!text.startsWith('*.')) return isHostName(text) || isIpv4(text) || isBracketed(text);
  const below = text.slice(2);
  return isHostName(below) && below.includes('.');
}

/** What a rule names. */
export const hostPattern = z.string().max(300).refine(isPattern, {
  error:
    'a host is named like registry.example.org or *.example.org: small letters, without http://, port or path; * only in front, and of at least two labels',
});
