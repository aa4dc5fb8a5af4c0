import type { Sandbox } from '../../worker/sandbox.ts';

/** The sandboxes that a provider has made and that are not killed yet. */
export interface Living {
  add(sandbox: Sandbox): Sandbox;
  list(): readonly Sandbox[];
  get(id: string): Sandbox | undefined;
}

export function createLiving(): Living {
  const living = new Map<string, Sandbox>();
  return {
    add(sandbox) {
      const { id, kill } = sandbox;
      const added = {
        ...sandbox,
        kill: async () => {
          await kill();
          if (living.get(id) === added) living.delete(id);
        },
      };
      living.set(id, added);
      return added;
    },
    list: () => [...living.values()],
    get: id => living.get(id),
  };
}
