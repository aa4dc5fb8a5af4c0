import { rows } from './row.ts';
import type { Row } from './row.ts';

const host = rows('host', 'S35');
const gateway = rows('gateway', 'S27, S28');
const paths = rows('paths', 'S33');
const settings = rows('settings', 'S29');
const archives = rows('archives', 'S36');

/** Code of the platform sees to it, in every kind of sandbox. */
const byPlatform = { guard: 'platform' } as const;

/** What reading.ts asks `sandbox.files` for, where the sandbox has planted what is to lead it astray. */
export const readingRows: readonly Row[] = [
  ...host(['invalid_request'], ['read a link to a file of the host', 'read a link to a file inside'], byPlatform),
  ...host(['file_not_found'], ['read below a link to a folder of the host']),
  ...host(['file_not_found', 'invalid_request'], ['read a link to itself', 'write where a folder is'], byPlatform),
  ...host(
    ['invalid_request'],
    [
      ...['read by ".."', 'read by an absolute path', 'read a path that holds NUL', 'read a path of 5,000 bytes'],
      ...['read a named pipe', 'read a socket', 'read a folder', 'read a device below a link', 'read a file that none may read'],
      'take out a workspace with a file that none may read',
    ],
    byPlatform,
  ),
  ...host(
    ['invalid_request', 'file_not_found', 'too_large', 'of the sandbox'],
    ['read what a descriptor of the reader is open on'],
    byPlatform,
  ),
  ...host(['of the sandbox'], ['read the environment of the reader'], byPlatform),
  ...host(
    ['too_large'],
    ['read a file of 100 GiB without content', 'list a folder of 12,000 files', 'take out a workspace larger than is wanted'],
    byPlatform,
  ),
  ...host(
    ['inside'],
    [
      'read a file with a second name',
      'read names that are commands, options and terminal codes',
      'read below a path of 3,600 bytes',
    ],
    byPlatform,
  ),
  ...host(['as they are'], ['list names that are commands, options and terminal codes'], byPlatform),
  ...host(
    ['not followed'],
    ['write where a link to a file of the host is', 'write where a named pipe is', 'take out links to files of the host'],
    byPlatform,
  ),
  ...host(['file_not_found', 'invalid_request'], ['write below a link to a folder of the host']),
];

export const raceRows: readonly Row[] = host(
  ['never outside'],
  [
    'a plain file and a link to the host that change places while it is read',
    'a plain file and a named pipe that change places while it is read',
  ],
  byPlatform,
);

/** What trapping.ts puts where the platform's own git writes in a workspace. */
export const pathRows: readonly Row[] = [
  ...paths(
    ['agent_failed'],
    [
      '.git is a link to a folder of the host',
      '.git is a file that names a folder of the host',
      '.git is a named pipe',
      '.git is gone',
      'the index is a link to a file of the host',
      'the lock of the index is there',
      'the objects are a link to a folder of the host',
      'the head names a file of the host',
      'the work tree is a folder of the host',
    ],
  ),
  ...paths(
    ['collected'],
    [
      'the branch is a link to a file of the host',
      'the objects are borrowed from a folder of the host',
      'settings are included from a file of the host',
    ],
  ),
  ...paths(['output_limit'], ['the work is larger than a bundle may be'], byPlatform),
  ...paths(['without it'], ['the conversation holds a link to a file of the host'], byPlatform),
  ...paths(['not packed'], ['the conversation is a named pipe'], byPlatform),
];

/** What is in the repository that an agent has left, and what of it starts something on the host. */
export const settingRows: readonly Row[] = settings(
  ['nothing'],
  [
    'hooks of git',
    'settings of git that name programs',
    'attributes with filters and drivers',
    'a submodule with settings of its own',
    '.env, .envrc and .npmrc',
    '.mcp.json, .claude and .codex',
    'AGENTS.md and .claude, done as they say',
    'settings in its home and in .git that were not there',
    'scripts of package.json',
    'another address of a model',
  ],
  byPlatform,
);

/** What archives.test.ts brings to the server as a bundle, and to a sandbox as the conversation of the run before. */
export const archiveRows: readonly Row[] = [
  ...archives(
    ['invalid_bundle'],
    [
      'a pack that says that it holds 4,294,967,295 objects',
      'an object that says that it has 1 TiB',
      'an object of 3 GiB made of 16 KiB by a delta',
      'a file named ../outside',
      'a folder named .git',
      'a name twice, as link and as folder',
      'a .gitmodules that is a link',
      'a header without end',
    ],
    byPlatform,
  ),
  ...archives(
    ['stays small'],
    ['a file of 128 MiB in 128 KiB', 'an object of 48 MiB made of 16 KiB by a delta', 'rubbish behind the pack'],
    byPlatform,
  ),
  ...archives(
    ['kept inside', 'begins anew'],
    [
      'a conversation with ../outside',
      'a conversation with an absolute path',
      'a conversation with a link and a file below it',
      'a conversation with a device',
    ],
    byPlatform,
  ),
  ...archives(['begins anew'], ['a conversation that is no archive'], byPlatform),
];

/** What test/fixtures/hostile/gateway.py asks for by the one way that is opened. */
export const gatewayRows: readonly Row[] = [
  ...gateway(
    ['403'],
    [
      'another path of the server',
      'a path that leads out by dots',
      'a path that leads out by dots that are encoded',
      'another host by an absolute address',
      'another host by an absolute address of a gateway',
      'another host by user and password in the address',
    ],
    byPlatform,
  ),
  ...gateway(['405'], ['a method that the gateway does not have'], byPlatform),
  ...gateway(['closed'], ['a tunnel to another host', 'a head of 64 KiB'], byPlatform),
  ...gateway(
    ['its own server'],
    ['another host by the header Host', 'another protocol on the connection', 'a second request in the body of the first'],
    byPlatform,
  ),
  ...gateway(['left out'], ['the key of the platform', 'to be taken for somebody else'], byPlatform),
  ...gateway(['64 of them'], ['100 connections at once'], byPlatform),
];
