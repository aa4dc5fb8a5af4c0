import { afterAll, beforeAll, expect, test } from 'vitest';
import { type TestApi, testApi } from '../harness/server.ts';

let api: TestApi;
beforeAll(async () => {
  api = await testApi();
});
afterAll(() => api.stop());

test('ready', async () => {
  expect((await api.call('GET', '/ready')).body).toEqual({ status: 'ready' });
});
