import { afterAll, beforeAll, expect, it } from 'vitest';
import type { z } from 'zod';
import { allRoutes } from '../../src/api/routes/all.ts';
import type { ReadinessProbe } from '../../src/node/readiness.ts';
import { startTestApi, type TestApi } from '../support/api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
});
afterAll(() => api.stop());

/** What a body proves by comparing it with something of a user. */
const proofs = ['password', 'current_password', 'otp', 'totp', 'recovery_code', 'enrolment_code'];

// Fails when a route that compares a proof answers a refusal as soon as it knows.
it('every route that compares a proof of a user has the floor', () => {
  const compared = allRoutes(api.node, {} as ReadinessProbe).filter(({ body, errors = [] }) => {
    const { shape = {} } = (body ?? {}) as Partial<z.ZodObject>;
    return errors.includes('invalid_credentials') && proofs.some((field) => field in shape);
  });
  const named = compared.map(({ method, path }) => `${method} ${path}`);
  expect(named).toEqual(
    expect.arrayContaining(['post /auth/login', 'post /auth/totp/confirm', 'delete /auth/totp']),
  );
  const without = compared.filter(({ floor }) => floor === undefined || floor === false);
  expect(without.map(({ method, path }) => `${method} ${path}`)).toEqual([]);
});
