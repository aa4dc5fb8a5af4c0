import { begin, check, completed, stamp, type Tale, title } from './story.ts';

/** Nothing happens that a person must look at. */
export const plain: readonly Tale[] = [
  {
    name: 'plain',
    async play(farm) {
      farm.worker('steady');
      return completed(farm, await begin(farm, { script: stamp, features: [{ title: 'One' }] }));
    },
  },
  {
    name: 'unchecked',
    async play(farm) {
      farm.worker('steady');
      return completed(farm, await begin(farm, { script: stamp, features: [{ title: 'One' }], checks: [] }));
    },
  },
  {
    name: 'dependencies',
    async play(farm) {
      farm.worker('steady', { slots: 2 });
      const features = [
        { title: 'Ground' },
        { title: 'Left', depends_on: ['Ground'] },
        { title: 'Right', depends_on: ['Ground'] },
        { title: 'Roof', depends_on: ['Left', 'Right'] },
      ];
      return completed(farm, await begin(farm, { script: stamp, features }));
    },
  },
  {
    name: 'sent-back',
    env: () => ({ SKEP_RETRY_MS: '0' }),
    async play(farm) {
      farm.worker('steady');
      const script = 'if [ -z "$SKEP_FEEDBACK" ]; then echo >bad.txt; else rm bad.txt; echo >good.txt; fi';
      return completed(farm, await begin(farm, { script, features: [{ title: 'Learn' }], checks: [check('[ ! -e bad.txt ]')] }));
    },
  },
  {
    // The first resolution is red.
    name: 'conflict',
    env: () => ({ SKEP_RETRY_MS: '0' }),
    async play(farm) {
      farm.worker('steady', { slots: 2 });
      const bothSides = "sed -i '/^[<=>|]\\{7\\}/d' line.txt";
      const resolve = `if [ -z "$SKEP_FEEDBACK" ]; then echo bad >line.txt; else ${bothSides}; fi`;
      const script = `${title} if [ -n "$SKEP_CONFLICT" ]; then ${resolve}; else echo "$title" >line.txt; fi`;
      const work = { script, features: [{ title: 'Left' }, { title: 'Right' }], files: { 'line.txt': 'before\n' } };
      return completed(farm, await begin(farm, { ...work, checks: [check('! git grep -qw bad')] }));
    },
  },
  {
    // Each is green by itself, and both are not: what lands second is sent back by its second review.
    name: 'red-together',
    env: () => ({ SKEP_RETRY_MS: '0' }),
    async play(farm) {
      farm.worker('steady', { slots: 2 });
      const script = `${stamp}; if [ -n "$SKEP_FEEDBACK" ]; then echo >both.txt; fi`;
      // It names no file, or a person would be asked about those that the tickets write.
      const together = check('[ "$(git ls-files | grep -c TKT-)" -lt 2 ] || git ls-files | grep -q both');
      const work = { script, features: [{ title: 'One' }, { title: 'Two' }], checks: [together] };
      return completed(farm, await begin(farm, work));
    },
  },
];
