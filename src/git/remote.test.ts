import { describe, expect, it } from 'vitest';
import { isBranchName, isObjectId, isSkepRef, parseRemote, visible, withoutControls } from './index.ts';

describe('the address of a repository', () => {
  it('may be a file URL, which is the path that it names', () => {
    expect(parseRemote('file:///srv/a%20b/../x')).toEqual({ url: '/srv/x', secretConfig: {} });
    expect(['file://host/x', 'file:///a%2Fb', 'file:///a%0ab'].map(parseRemote)).toEqual([undefined, undefined, undefined]);
  });

  it.each([
    'ext::sh -c id',
    'EXT::x',
    'fd::7',
    '-x',
    '--upload-pack=x',
    'ssh://-oProxyCommand=x/y',
    'ssh://u@-x/y',
    'relative',
    'file:/x',
    '/a\nb',
    'https://example.org/\r\nx',
    'https:///x',
    'https://a\\@b/x',
    'https://a b/x',
    'ftp://x/y',
  ])('refuses %s', address => {
    expect(parseRemote(address)).toBeUndefined();
  });

  it.each(['/srv/x.git', 'https://example.org/x.git', 'ssh://git@example.org/x', 'git://example.org/x'])('takes %s', address => {
    expect(parseRemote(address)).toEqual({ url: address, secretConfig: {} });
  });

  it('loses the password of an SSH URL, which ssh would not take', () => {
    expect(parseRemote('ssh://ann:secret@example.org/~/x')?.url).toBe('ssh://ann@example.org/~/x');
  });

  it('gives its password to the host that it names, and to no other', () => {
    expect(parseRemote('https://ann:pa%20ss@example.org:8443/x.git')).toEqual({
      url: 'https://example.org:8443/x.git',
      secretConfig: {
        'http.https://example.org:8443/.extraHeader': `Authorization: Basic ${Buffer.from('ann:pa ss').toString('base64')}`,
        'http.https://example.org:8443/.followRedirects': 'false',
      },
    });
  });
});

describe('names', () => {
  const hostile = [
    ...[
      '',
      '-x',
      '--upload-pack=x',
      '--output=/tmp/x',
      '`id`',
      '$(id)',
      'a;touch${IFS}x',
      'a|b',
      'a\nb',
      'a b',
      'a\u3000b',
      'a\u202eb',
    ],
    ...['@{-1}', '..', 'a/../b', 'a//b', '/a', 'a/', 'a.lock', 'a.lock/b', '.a', 'a/.b', 'a.', `a${'b'.repeat(300)}`],
  ];

  it.each(hostile)('%j is none', name => {
    expect([isBranchName(name), isSkepRef(`refs/skep/${name}`)]).toEqual([false, false]);
  });

  it('are plain', () => {
    expect(['main', 'skep/todo-app', 'a.b_c-1/2'].map(isBranchName)).toEqual([true, true, true]);
    expect(['refs/skep/runs/0198', 'refs/heads/main', 'HEAD'].map(isSkepRef)).toEqual([true, false, false]);
  });

  it('of objects are whole and in lower case', () => {
    const ids = ['1'.repeat(40), 'a'.repeat(64), '1'.repeat(39), 'A'.repeat(40), `${'1'.repeat(40)}\n`, 'HEAD'];
    expect(ids.map(isObjectId)).toEqual([true, true, false, false, false, false]);
  });
});

describe('text from a repository', () => {
  const text = 'a\u001b[2Jb\u009b\u202ec\u200bd\r\n\te\u00adf';
  it('loses what cannot be seen, or shows it', () => {
    expect(withoutControls(text)).toBe('a[2Jbcd\n\tef');
    expect(visible(text)).toBe('a<U+001B>[2Jb<U+009B><U+202E>c<U+200B>d^M\n\te<U+00AD>f');
  });
});
