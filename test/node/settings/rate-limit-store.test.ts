import { expect, test } from 'vitest';
import { loadConfig } from '../../../src/node/config.ts';
import { refusedSettings } from '../../support/refused-settings.ts';

const REDIS_URL = 'redis://127.0.0.1:6379/0';

test.each([
  ['memory without Redis', {}, 'memory'],
  ['redis where there is one', { REDIS_URL }, 'redis'],
  ['what it says', { REDIS_URL, RATE_LIMIT_STORE: 'postgres' }, 'postgres'],
  ['memory, beside a Redis for wake-ups', { REDIS_URL, RATE_LIMIT_STORE: 'memory' }, 'memory'],
])('RATE_LIMIT_STORE is %s', (_, env, store) => {
  expect(loadConfig(env).http.rateLimitStore).toBe(store);
});

test('a store that cannot count, or that would count nothing, is refused', () => {
  expect(refusedSettings({ RATE_LIMIT_STORE: 'redis' })).toEqual(['RATE_LIMIT_STORE']);
  expect(refusedSettings({ RATE_LIMIT_STORE: 'disk' })).toEqual(['RATE_LIMIT_STORE']);
  const off = { RATE_LIMIT_STORE: 'postgres', RATE_LIMITS: 'off' };
  expect(refusedSettings(off)).toEqual(['RATE_LIMIT_STORE']);
});
