import { rows } from './row.ts';
import type { Row } from './row.ts';

const bombs = rows('bombs', 'S30');
const lasting = rows('lasting', 'S31');
const leaving = rows('leaving', 'S31');
const beside = rows('beside', 'S32');
const open = ['reached'];

/** What bombs.ts takes. */
export const bombRows: readonly Row[] = [
  ...bombs(['EAGAIN'], ['children that stay'], { guard: 'processes', open }),
  ...bombs(['RuntimeError'], ['threads that stay'], { guard: 'processes', open: [...open, 'RuntimeError'] }),
  ...bombs(['timeout'], ['children that have children without end'], { guard: 'processes', advisory: [] }),
  ...bombs(['out_of_memory'], ['memory of one process'], { guard: 'memory', advisory: ['MemoryError', 'out_of_memory'], open }),
  ...bombs(['out_of_memory', 'killed'], ['memory of eight processes together'], {
    guard: 'memory',
    advisory: [...open, 'out_of_memory', 'killed'],
    open,
  }),
  ...bombs(['out_of_memory'], ['memory that processes share', 'System V memory'], {
    guard: 'memory',
    advisory: [...open, 'out_of_memory'],
    open,
  }),
  ...bombs(['its share'], ['the time of every processor'], {
    guard: 'cpu',
    advisory: ['its share', ...open],
    open: ['its share', ...open],
  }),
  ...bombs(
    ['timeout'],
    ['64 threads that never rest', 'a program that is deaf to signals', 'a program that has stopped itself'],
    {
      guard: 'time',
    },
  ),
  ...bombs(['ENOSPC'], ['bytes in the workspace'], { guard: 'workspace', advisory: ['ENOSPC', 'workspace_full'], open }),
  ...bombs(['ENOSPC'], ['files without content in the workspace'], {
    guard: 'workspace',
    advisory: [...open, 'workspace_full'],
    open,
  }),
  ...bombs(['takes no place', 'EFBIG'], ['a file of 1 TiB without content in the workspace'], {
    guard: 'workspace',
    open: ['takes no place', 'EFBIG'],
  }),
  ...bombs(['ENOSPC'], ['bytes in /tmp', 'bytes in /dev/shm'], { guard: 'tmp', open }),
  // Also where nothing is apart it has a home of its own.
  ...bombs(['ENOSPC'], ['bytes in its home'], { guard: 'tmp', open: ['ENOSPC'] }),
  ...bombs(['EMFILE', 'out_of_memory'], ['descriptors'], { open: ['EMFILE', 'out_of_memory'] }),
  ...bombs(['output_limit'], ['output without end'], { guard: 'output' }),
  ...bombs(['all of it'], ['one line of 32 MiB'], { guard: 'output' }),
];

/** What layers.py does. */
export const belowAttempt = 'what both begin as: every way to write to a file of it';

/** What lasting.py leaves behind, and what is left of a sandbox. */
export const lastingRows: readonly Row[] = [
  ...lasting(
    ['gone'],
    ['double-fork', 'deaf', 'renamed', 'holding', 'breeding'].flatMap(how => [
      `${how}, when the command ends`,
      `${how}, when it is broken off`,
    ]),
    { guard: 'time' },
  ),
  ...leaving(
    ['nothing'],
    ['folders in one another, 3,000 deep', 'names that look like options, and folders that none may enter'],
  ),
  ...leaving(['empty'], ['what the sandbox before it with the same name has written']),
  ...beside(['as it was'], [belowAttempt], { guard: 'platform' }),
];
