import { describe, expect, it } from 'vitest';
import { documentWithoutSecrets, removed, withoutSecrets } from './secrets.ts';

// In two parts, so that this file holds nothing that looks like a secret.
const secret = (head: string, tail: string) => head + tail;
const letters = 'abcdefGHIJKL0123456789mnopQRSTUV456789ab';

describe('a recording without secrets', () => {
  it.each([
    ['a key of a model provider', secret('sk-', `ant-api03-${letters}`)],
    ['a run token', secret('skeprun_', letters)],
    ['a token of ours', secret('skep_', letters)],
    ['a GitHub token', secret('ghp_', letters)],
    ['a fine-grained one', secret('github_pat_', letters)],
    ['a GitLab token', secret('glpat-', letters)],
    ['a key of AWS', secret('AKIA', 'IOSFODNN7EXAMPLE')],
    ['a key of Google', secret('AIza', letters.slice(0, 35))],
    ['a token of Slack', secret('xoxb-', '123456789012-abcdef')],
    ['a JWT', `${secret('eyJ', letters)}.${secret('eyJ', letters)}.${letters}`],
  ])('has not %s', (_what, value) => {
    expect(withoutSecrets(`export X=${value} # here`, [])).toBe(`export X=${removed} # here`);
  });

  it('keeps what stands around a secret', () => {
    expect(withoutSecrets(`curl -H "Authorization: Bearer ${letters}" x`, [])).toBe(
      `curl -H "Authorization: Bearer ${removed}" x`,
    );
    expect(withoutSecrets(`postgres://skep:${letters}@db/skep`, [])).toBe(`postgres://skep:${removed}@db/skep`);
    expect(withoutSecrets(`{"api_key": "${letters}"}`, [])).toBe(`{"api_key": "${removed}"}`);
    const key = `${secret('-----BEGIN RSA ', 'PRIVATE KEY-----')}\n${letters}\n-----END RSA PRIVATE KEY-----`;
    expect(withoutSecrets(`a\n${key}\nb`, [])).toBe(`a\n${removed}\nb`);
  });

  it('has nothing of what is known, longest first, and keeps what is too short to be a secret', () => {
    const known = ['correct horse', 'correct horse battery', 'yes'];
    expect(withoutSecrets('yes: correct horse battery, correct horse', known)).toBe(`yes: ${removed}, ${removed}`);
  });

  it('leaves work alone', () => {
    const work =
      "const token = next(); // sk-ip the bearer of tasks; 'password: ' at https://example.org:8080/x@y\ngit log 3f2a9c1";
    expect(withoutSecrets(work, [])).toBe(work);
  });

  it('looks into all of a document', () => {
    const document = { a: [{ b: secret('ghp_', letters), n: 1, t: true, z: null }], [secret('ghp_', letters)]: 'x' };
    expect(documentWithoutSecrets(document, [])).toEqual({ a: [{ b: removed, n: 1, t: true, z: null }], [removed]: 'x' });
  });
});
