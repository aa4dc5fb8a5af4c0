import { rows } from './row.ts';
import type { Row } from './row.ts';

const cache = rows('cache', 'S32');
const byPlatform = { guard: 'platform' } as const;

/** What poison.ts does to what runs begin with. */
export const cacheRows: readonly Row[] = [
  ...cache(
    ['as it was'],
    [
      'write over a file of the dependencies',
      'add to a file of the dependencies, cut it, and punch a hole in it',
      'put another file in the place of one',
      'write by a second name of a file',
      'put a link to a file of its own in the place of one',
      'put a folder in the place of one, and another name before it',
      'add a package, and a program that others would start',
      'remove all of them, and make them everybody’s',
      'write in them while another run reads',
      'change what is tracked, and the objects of git, where many runs begin with one check-out',
      'change the manifest and the script that sets up, and commit both',
      'change what the script that sets up reads, and commit that',
      'all of that, and then another worker',
    ],
    byPlatform,
  ),
  ...cache(['as it was'], ['leave files where caches are: its home, /tmp, /dev/shm, the folder of a conversation']),
  ...cache(['as it was'], ['write the tools that every sandbox is shown, and the copy of the repository']),
  ...cache(['its own'], ['the same repository in another project'], byPlatform),
  ...cache(
    ['inside'],
    [
      'what a setup leaves is a link to a file of the host',
      'what a setup leaves is a link to a folder above it',
      'what a setup leaves is a second name of a tracked file',
      'what a setup leaves has the name of a tracked folder, and leads elsewhere',
      'what a setup leaves is a named pipe, a socket, and names that are options and terminal codes',
    ],
    byPlatform,
  ),
];
