import type { Router } from '../../../../contract/templates/router.ts';

/** The template that a router names for a type of ticket; undefined where it says nothing of it. */
export function routeIn(router: Router | null, type: string): string | undefined {
  const rule = router?.routes.find(({ types }) => types.some(each => each === type));
  return rule?.template ?? router?.default;
}
