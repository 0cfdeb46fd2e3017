import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { loadConfig } from '../../../src/node/config.ts';
import { refusedSettings } from '../../support/refused-settings.ts';

const prod = {
  APP_ENV: 'prod',
  ISSUER: 'https://auth.example.com',
  DATABASE_URL: 'postgres://latchkey_app:x@db/latchkey',
  KEK: `k1:${randomBytes(32).toString('base64url')}`,
};

// Fails when a production starts with an administration that one password opens.
it('in prod the administration demands a second factor, and nobody turns that off', () => {
  expect(loadConfig(prod).administrator.secondFactor).toBe(true);
  expect(refusedSettings({ ...prod, ADMIN_SECOND_FACTOR: 'off' })).toEqual(['ADMIN_SECOND_FACTOR']);
  expect(loadConfig({}).administrator.secondFactor).toBe(false);
});
