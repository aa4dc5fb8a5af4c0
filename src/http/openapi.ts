import swagger, { type SwaggerTransform, type SwaggerTransformObject } from '@fastify/swagger';
import type { FastifyInstance } from 'fastify';
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod';
import { errorBody } from '../../contract/fields.ts';

/** The description of the API, made from the schemas that check it: /openapi.json. */
export async function describeApi(app: FastifyInstance, version: string): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Skep', version, description: 'Served under /api and, the same, under /api/v1.' },
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
      security: [{ token: [] }],
    },
    transform: describeRoute,
    transformObject: describeWhole,
  });
  app.addHook('onRoute', route => {
    // The twin under /api/v1 is the same route.
    if (route.url.startsWith('/api/v1/')) route.schema = { ...route.schema, hide: true };
    // Every route may refuse, and always in the same form.
    else if (route.schema?.hide !== true) {
      route.schema = { ...route.schema, response: { ...(route.schema?.response as object | undefined), default: errorBody } };
    }
  });
  app.get('/openapi.json', { config: { need: 'read' }, schema: { hide: true } }, async () => app.swagger());
}

/** What no schema says: bytes that are taken or given, and that a route needs no token. */
const describeRoute: SwaggerTransform = document => {
  const { schema, url } = jsonSchemaTransform(document);
  const { need, takes, gives } = document.route.config ?? {};
  const described: Record<string, unknown> = { ...schema };
  if (need === 'nothing') described['security'] = [];
  if (takes !== undefined) Object.assign(described, { consumes: [takes], body: { type: 'string' } });
  if (gives !== undefined)
    described['response'] = {
      ...(described['response'] as object),
      200: { description: 'OK', content: { [gives]: { schema: { type: 'string' } } } },
    };
  return { schema: described, url };
};

interface Described {
  readonly paths?: Readonly<Record<string, object>>;
  readonly components?: { readonly schemas?: Readonly<Record<string, object>> };
}

const describeWhole: SwaggerTransformObject = document => {
  const whole = jsonSchemaTransformObject(document) as Described;
  const { paths, schemas } = withoutTwins(whole.paths ?? {}, whole.components?.schemas ?? {});
  return { ...whole, paths, components: { ...whole.components, schemas } };
};

type Named = Readonly<Record<string, object>>;

/**
 * Each named schema comes twice, once as it is taken and once as it is given. Where both are the same, one is enough, and what
 * nothing points to is left out.
 */
function withoutTwins(paths: Named, schemas: Named): { paths: Named; schemas: Named } {
  const given = (name: string) => name.replace(/Input$/, '');
  const refs = /#\/components\/schemas\/(\w+)/g;
  // What differs in nothing but in which twins it points to is a twin too.
  const isTwin = (name: string): boolean => {
    const [taken, other] = [name, given(name)].map(each => JSON.stringify(schemas[each]) ?? '');
    if (taken === other) return true;
    const pointed = [...(taken ?? '').matchAll(refs)].map(([, ref = '']) => ref);
    const alike = taken?.replace(refs, (_, ref: string) => given(ref)) === other?.replace(refs, (_, ref: string) => given(ref));
    return alike && pointed.every(isTwin);
  };
  const merged = JSON.parse(
    JSON.stringify({ paths, schemas }).replace(refs, (ref, name: string) =>
      isTwin(name) ? `#/components/schemas/${given(name)}` : ref,
    ),
  ) as { paths: Named; schemas: Named };
  const used = new Set<string>();
  const follow = (value: object): void => {
    for (const [, name = ''] of JSON.stringify(value).matchAll(refs)) {
      const named = merged.schemas[name];
      if (named === undefined || used.has(name)) continue;
      used.add(name);
      follow(named);
    }
  };
  follow(merged.paths);
  return { paths: merged.paths, schemas: Object.fromEntries(Object.entries(merged.schemas).filter(([name]) => used.has(name))) };
}
