import swagger from '@fastify/swagger';
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
    transform: jsonSchemaTransform,
    transformObject: jsonSchemaTransformObject,
  });
  app.addHook('onRoute', route => {
    // Every route may refuse, and always in the same form.
    if (route.schema?.response !== undefined) route.schema.response = { ...route.schema.response, default: errorBody };
    // The twin under /api/v1 is the same route.
    if (route.url.startsWith('/api/v1/')) route.schema = { ...route.schema, hide: true };
  });
  app.get('/openapi.json', { config: { need: 'read' }, schema: { hide: true } }, async () => app.swagger());
}
