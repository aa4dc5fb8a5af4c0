import { z } from 'zod';
import { templateReference } from './names.ts';

/** What a run works on may be of these types; an epic is never worked on itself. */
export const routedTypes = ['feature', 'task', 'bug'] as const;

const route = z.strictObject({
  types: z
    .array(z.enum(routedTypes))
    .min(1)
    .refine(types => new Set(types).size === types.length, { error: 'each type may stand once' }),
  template: templateReference,
});

/** Which template works on which type of ticket. The first rule that names the type holds; `default` is for what no rule names. */
export const router = z
  .strictObject({
    routes: z.array(route).max(routedTypes.length),
    default: templateReference.optional(),
  })
  .meta({ id: 'Router' });

/** Of the tenant; null: there is none. */
export const routerPut = z.strictObject({ router: router.nullable() });
export const routerAnswer = z.object({ router: router.nullable() });

export type Router = z.infer<typeof router>;
export type RoutedType = (typeof routedTypes)[number];

/** The template that a router names for a type of ticket; undefined where it says nothing of it. */
export function routeIn(of: Router | null, type: string): string | undefined {
  const rule = of?.routes.find(({ types }) => types.some(each => each === type));
  return rule?.template ?? of?.default;
}
