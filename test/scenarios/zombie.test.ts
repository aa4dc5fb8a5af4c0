import { afterEach, beforeAll, test } from 'vitest';
import { buildSkep, endAll } from '../harness/process.ts';
import { haunting } from './haunting.ts';

beforeAll(buildSkep);
afterEach(endAll);

const rounds = 20;

test(`a worker that is stopped past its lease and goes on: its completion is refused ${rounds} of ${rounds}`, {
  timeout: 180_000,
}, async () => {
  await haunting(rounds);
});
