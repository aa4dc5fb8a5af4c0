import { afterAll, beforeAll, expect, test } from 'vitest';
import { routesOf } from '../harness/routes.ts';
import { type TestApi, testApi } from '../harness/server.ts';

interface Operation {
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: string;
    readonly required: boolean;
    readonly schema: object;
  }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: object }>> };
  readonly responses: Readonly<
    Record<string, { readonly description: string; readonly content?: Readonly<Record<string, { readonly schema: object }>> }>
  >;
  readonly security?: readonly object[];
}

interface Description {
  readonly openapi: string;
  readonly info: { readonly title: string; readonly version: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, object>>; readonly securitySchemes: object };
  readonly security: readonly object[];
}

let api: TestApi;
let described: Description;
let operations: readonly { readonly name: string; readonly path: string; readonly operation: Operation }[];
beforeAll(async () => {
  api = await testApi();
  described = (await api.call('GET', '/openapi.json')).body as unknown as Description;
  operations = Object.entries(described.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ name: `${method.toUpperCase()} ${path}`, path, operation })),
  );
});
afterAll(() => api.stop());

test('it is OpenAPI 3.1, with what that asks for', () => {
  expect(Object.keys(described).sort()).toEqual(['components', 'info', 'openapi', 'paths', 'security']);
  expect(described.openapi).toMatch(/^3\.1\.\d$/);
  expect(described.info).toMatchObject({ title: 'Skep', version: expect.stringMatching(/^\d+\.\d+\.\d+/) as string });
  expect(described.components.securitySchemes).toEqual({ token: { type: 'http', scheme: 'bearer' } });
  for (const path of Object.keys(described.paths)) expect(path).toMatch(/^\/[\w/{}-]*[\w}]$/);
});

test("it describes every route of the router's table but the socket, itself, the twins and what is for sandboxes, and no other", async () => {
  const routes = (await routesOf(api))
    .filter(({ url }) => !url.startsWith('/gateway'))
    .filter(
      ({ method, url }) => method !== 'HEAD' && !url.startsWith('/api/v1/') && !['/openapi.json', '/api/live'].includes(url),
    )
    .map(({ method, url }) => `${method} ${url.replaceAll(/:(\w+)/g, '{$1}')}`);
  expect(operations.map(({ name }) => name).sort()).toEqual(routes.sort());
  expect(routes.length).toBeGreaterThan(38);
});

test('every operation has an answer of its own and the one of every refusal', () => {
  for (const { name, operation } of operations) {
    const codes = Object.keys(operation.responses);
    expect([name, codes]).toEqual([name, expect.arrayContaining(['default'])]);
    expect([name, codes.filter(code => /^2\d\d$/.test(code)).length > 0]).toEqual([name, true]);
    expect([name, operation.responses['default']?.content]).toEqual([
      name,
      { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
    ]);
    for (const [code, { content }] of Object.entries(operation.responses))
      expect([name, code, content === undefined]).toEqual([name, code, code === '204']);
  }
});

test('what is bytes is described as bytes', () => {
  const at = (path: string, method: string) => described.paths[path]?.[method];
  expect(Object.keys(at('/api/runs/{id}/log', 'get')?.responses['200']?.content ?? {})).toEqual(['text/plain']);
  expect(Object.keys(at('/api/runs/{id}/bundle', 'get')?.responses['200']?.content ?? {})).toEqual(['application/octet-stream']);
  expect(Object.keys(at('/api/runs/{id}/log', 'post')?.requestBody?.content ?? {})).toEqual(['text/plain']);
  expect(Object.keys(at('/api/runs/{id}/bundle', 'put')?.requestBody?.content ?? {})).toEqual(['application/octet-stream']);
  expect(Object.keys(at('/api/runs/{id}/transcript', 'post')?.requestBody?.content ?? {})).toEqual(['application/x-ndjson']);
  const asked = at('/api/runs/{id}/transcript', 'get')?.parameters?.map(({ name }) => name);
  expect(asked?.sort()).toEqual(['after', 'id', 'limit', 'q', 'type']);
});

test('each {name} of a path is a required parameter, and there is no other path parameter', () => {
  for (const { name, path, operation } of operations) {
    const named = [...path.matchAll(/{(\w+)}/g)].map(([, each]) => each);
    const parameters = (operation.parameters ?? []).filter(parameter => parameter.in === 'path');
    expect([name, parameters.map(parameter => [parameter.name, parameter.required])]).toEqual([
      name,
      named.map(each => [each, true]),
    ]);
    for (const parameter of operation.parameters ?? []) {
      expect([name, parameter.name, ['path', 'query', 'header'].includes(parameter.in)]).toEqual([name, parameter.name, true]);
      expect([name, parameter.name, typeof parameter.schema]).toEqual([name, parameter.name, 'object']);
    }
  }
});

test('every reference leads to a schema, every schema is referred to, and none stands there twice', () => {
  const names = Object.keys(described.components.schemas);
  const referred = [...JSON.stringify(described).matchAll(/"\$ref":"([^"]*)"/g)].map(([, ref]) => String(ref));
  expect([...new Set(referred)].sort()).toEqual(names.map(name => `#/components/schemas/${name}`).sort());
  // Taken with defaults that may be left out, given with all: the two differ.
  expect(names.filter(name => name.endsWith('Input'))).toEqual(['RunResultInput', 'SpecCardInput']);
  const texts = Object.values(described.components.schemas).map(schema => JSON.stringify(schema));
  expect(new Set(texts).size).toBe(texts.length);
  for (const name of names) expect(name).toMatch(/^[A-Z][A-Za-z]+$/);
});

test('only what needs no token says so', () => {
  expect(described.security).toEqual([{ token: [] }]);
  expect(operations.filter(({ operation }) => operation.security !== undefined).map(({ name }) => name)).toEqual([
    'GET /health',
    'GET /ready',
  ]);
});
