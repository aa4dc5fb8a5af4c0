import type { SandboxProvider, SandboxSpec } from '../../src/worker/index.ts';

/** Milliseconds since the epoch at which each happened for the first time in a run. */
export type Moments = Map<string, number>;

type Sandbox = Awaited<ReturnType<SandboxProvider['create']>>;

/** With a fraction; comparable with the times of the database on this machine. */
export function now(): number {
  return performance.timeOrigin + performance.now();
}

export function note(moments: Moments, name: string): void {
  if (!moments.has(name)) moments.set(name, now());
}

/** The worker's own provider, which writes down what happens at the port. Of one run at a time: `current` answers its moments. */
export function observed(provider: SandboxProvider, current: () => Moments): SandboxProvider {
  return {
    ...provider,
    async create(spec) {
      const moments = current();
      // The others are those of checks, and those in which a check-out is prepared.
      if (spec.links === undefined || spec.links.length === 0) return provider.create(spec);
      note(moments, 'sandbox asked for');
      const sandbox = await provider.create({ ...spec, links: linked(spec.links, moments) });
      note(moments, 'sandbox made');
      return timed(sandbox, moments);
    },
  };
}

function linked(links: NonNullable<SandboxSpec['links']>, moments: Moments): NonNullable<SandboxSpec['links']> {
  return links.map(({ path, onConnection }) => ({
    path,
    onConnection(connection) {
      if (path !== '/skep/control.sock') note(moments, 'gateway called');
      onConnection(connection);
    },
  }));
}

function timed(sandbox: Sandbox, moments: Moments): Sandbox {
  return {
    ...sandbox,
    async exec(command) {
      const exit = await sandbox.exec(command);
      // The first that ends; the agent's parent, which may begin before it, ends with the agent.
      note(moments, 'checked out');
      return exit;
    },
  };
}
