/** When a suite meets a kind of sandbox: at each change, in the proof (`npm run prove -- containment`), or never. */
type When = 'test' | 'proof' | 'never';

interface Where {
  /** As a person calls it. */
  readonly kind: string;
  /** The attacks from inside: most of the table. */
  readonly hostile: When;
  /** Of many commands: limits, what stays, traps, what is taken out. */
  readonly many: When;
  /** What takes minutes. */
  readonly long: When;
  /** What one run leaves to another, before a whole worker. */
  readonly cache: When;
  /** What came of it where no test tells at each change. */
  readonly tried?: string;
}

/** Kept beside the suites, which choose by it. */
export const isQuick = (provider: string): boolean => provider === 'local' || provider === 'local:native';

const quick = { hostile: 'test', many: 'test', long: 'proof' } as const;
const slower = { hostile: 'test', many: 'proof', long: 'never' } as const;
const rare = { hostile: 'proof', many: 'proof', long: 'never', cache: 'never' } as const;

const held = 'all of it holds, 23 November 2026';

export const wheres: readonly Where[] = [
  { kind: '`local`, by the compiled part, cold', ...quick, cache: 'test' },
  { kind: '`local`, by the compiled part, from the warm pool', ...slower, long: 'proof', cache: 'never' },
  { kind: '`local`, by bubblewrap, root', ...quick, cache: 'proof' },
  { kind: '`local`, by bubblewrap, an ordinary user', ...quick, cache: 'never' },
  { kind: '`local` and `oci`, cgroups of version 1 alone (podman takes crun)', ...rare, tried: held },
  { kind: '`process`, root', ...slower, cache: 'proof' },
  { kind: '`process`, an ordinary user', ...slower, cache: 'never' },
  { kind: '`oci`, podman and runc, root', ...slower, cache: 'proof' },
  { kind: '`oci`, podman and runc, an ordinary user', ...rare, tried: held },
  {
    kind: '`oci:docker`, root',
    ...rare,
    tried: 'from inside all of it holds, 22 November 2026; the daemon was of version 20.10',
  },
  { kind: '`oci:runsc`, root', ...rare, tried: "not: `ls` fails in Debian 12's gVisor, of December 2022" },
];
