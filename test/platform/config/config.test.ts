import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { defaultDevicePolicies } from '../../../src/domain/session/device-policy.ts';
import { loadConfig, prodUnlessTold, topics } from '../../../src/node/config.ts';
import { ConfigError } from '../../../src/platform/config/config-error.ts';
import { settingsOf } from '../../../src/platform/config/read-topics.ts';
import { loadKeyRing } from '../../../src/platform/crypto/key-encryption-key.ts';
import { refusedSettings } from '../../support/refused-settings.ts';

const variables = settingsOf(topics).map(({ variable }) => variable);
const key = randomBytes(32).toString('base64url');
const production = {
  APP_ENV: 'prod',
  DATABASE_URL: 'postgres://latchkey_app:x@db/latchkey',
  KEK: `k1:${key}`,
  ISSUER: 'https://auth.example.com',
};

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'latchkey-config-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

describe('given nothing', () => {
  test('dev has a default for everything', () => {
    const config = loadConfig({});
    expect(config).toMatchObject({
      environment: { name: 'dev' },
      http: { host: '127.0.0.1', port: 3333, rateLimits: true },
      tokens: { issuer: 'http://127.0.0.1:3333', defaultAudience: 'http://127.0.0.1:3333' },
      browser: { allowedOrigins: ['http://127.0.0.1:3333'] },
      metrics: { port: 4333 },
      registration: { mode: 'open' },
      database: { url: undefined },
    });
    expect(config.devicePolicies).toEqual(defaultDevicePolicies);
  });

  test('an empty variable counts as absent', () => {
    expect(loadConfig({ PORT: '', KEK: '' })).toEqual(loadConfig({}));
  });
});

describe('given the port alone', () => {
  test('issuer, metrics port and allowed origins follow it', () => {
    expect(loadConfig({ PORT: '4000' })).toMatchObject({
      tokens: { issuer: 'http://127.0.0.1:4000' },
      metrics: { port: 5000 },
      browser: { allowedOrigins: ['http://127.0.0.1:4000'] },
    });
  });
});

describe('every problem is reported at once', () => {
  test('malformed variables and contradictions together, each by name', () => {
    const env = {
      PORT: '70000',
      LOG_LEVEL: 'loud',
      ALLOWED_ORIGINS: 'https://app.example.com/path',
      TRUSTED_PROXIES: 'everyone',
      SESSION_IDLE_SECONDS: '60',
      DEVICE_POLICY_WEB: 'limit:0',
    };
    expect(refusedSettings(env)).toEqual(Object.keys(env).sort());
  });

  test.each([
    'email',
    '["email"]',
    '{"https://shop.example":"email"}',
    '{"https://shop.example":["roles"]}',
    '{"https://shop.example":[]}',
    '{"with space":["email"]}',
    'null',
  ])('PROFILE_CLAIMS=%s is refused', (given) => {
    expect(refusedSettings({ PROFILE_CLAIMS: given })).toEqual(['PROFILE_CLAIMS']);
  });

  test('the message has one line for each problem', () => {
    expect(() => loadConfig({ PORT: 'x', RATE_LIMITS: 'maybe' })).toThrow(
      'PORT must be a whole number\nRATE_LIMITS must be on or off',
    );
  });

  test('a refused secret is not repeated in the message', () => {
    const secret = `k1:${key.slice(1)}`;
    const part = key.slice(4, 12);
    expect(() => loadConfig({ KEK: secret })).toThrow(new RegExp(`^(?!.*${part})KEK must be`, 's'));
  });
});

describe('in prod', () => {
  test('the needed variables suffice', () => {
    expect(loadConfig(production)).toMatchObject({
      registration: { mode: 'closed' },
      http: { host: '0.0.0.0' },
    });
  });

  test.each(['DATABASE_URL', 'KEK', 'ISSUER'])('%s is demanded', (name) => {
    expect(refusedSettings({ ...production, [name]: '' })).toEqual([name]);
  });

  test.each([
    ['ISSUER', 'http://auth.example.com'],
    ['RATE_LIMITS', 'off'],
    ['PASSWORD_HASH_MEMORY_KIB', '47103'],
    ['REGISTRATION', 'open'],
  ])('%s=%s is refused', (name, value) => {
    expect(refusedSettings({ ...production, [name]: value })).toEqual([name]);
    expect(refusedSettings({ [name]: value })).toEqual([]);
  });

  test('migrate needs the database only', () => {
    const env = { APP_ENV: 'prod', DATABASE_URL: production.DATABASE_URL };
    expect(loadConfig(env, 'migrate').database.url).toBe(production.DATABASE_URL);
  });
});

describe('contradictions are refused', () => {
  test.each([
    ['SESSION_IDLE_SECONDS', { SESSION_IDLE_SECONDS: '1799' }],
    ['SESSION_IDLE_SECONDS', { SESSION_IDLE_SECONDS: '599', LIFETIME_PROFILE: 'banking' }],
    [
      'REFRESH_TOKEN_EXPIRY_MS',
      { ACCESS_TOKEN_EXPIRY_MS: '9000', REFRESH_TOKEN_EXPIRY_MS: '9000' },
    ],
    ['CLOCK_SKEW_SECONDS', { ACCESS_TOKEN_EXPIRY_MS: '5000' }],
    ['REVOCATION_POLL_MS', { LEASE_SECONDS: '1', REVOCATION_POLL_MS: '251' }],
    ['METRICS_PORT', { PORT: '4000', METRICS_PORT: '4000' }],
    ['ADMIN_EMAIL', { ADMIN_PASSWORD: 'a long enough password' }],
    ['DATABASE_URL', { DATABASE_DIRECT_URL: 'postgres://h/d' }],
  ])('%s: %j', (variable, env) => {
    expect(refusedSettings(env as unknown as Record<string, string>)).toEqual([variable]);
  });

  // Fails when a device type with longer tokens, such as iot, forbids it to browsers.
  test('an idle timeout of exactly twice the shortest access life is accepted', () => {
    expect(refusedSettings({ SESSION_IDLE_SECONDS: '1800' })).toEqual([]);
    expect(refusedSettings({ SESSION_IDLE_SECONDS: '600', LIFETIME_PROFILE: 'banking' })).toEqual(
      [],
    );
  });
});

describe('an idle timeout that is short for some device types', () => {
  test('is accepted, with a warning that says what those get', () => {
    expect(loadConfig({ SESSION_IDLE_SECONDS: '5400' }).warnings).toEqual([
      'SESSION_IDLE_SECONDS is less than twice the access-token life of some device types, ' +
        'which get: desktop 7200 s, iot 43200 s',
    ]);
    expect(loadConfig({ SESSION_IDLE_SECONDS: '43200' }).warnings).toEqual([]);
  });
});

describe('B2: what an empty variable and an environment mean', () => {
  test.each([undefined, ''])('B2: APP_ENV %j is prod for serve and worker', (given) => {
    const env = given === undefined ? production : { ...production, APP_ENV: given };
    expect(loadConfig(prodUnlessTold({ ...env, APP_ENV: given })).environment.name).toBe('prod');
    expect(prodUnlessTold({ APP_ENV: 'dev' })).toEqual({ APP_ENV: 'dev' });
  });

  test('B2: every variable that is empty counts as absent', () => {
    const empty = Object.fromEntries(variables.map((name) => [name, '']));
    expect(loadConfig(empty)).toEqual(loadConfig({}));
  });

  test('B2: dev is for this machine alone', () => {
    expect(refusedSettings({ HOST: '0.0.0.0' })).toEqual(['HOST']);
    expect(refusedSettings({ WORKER_HOST: '::' })).toEqual(['WORKER_HOST']);
    expect(refusedSettings({ ...production, HOST: '0.0.0.0', WORKER_HOST: '::' })).toEqual([]);
    for (const host of ['127.0.0.1', '127.8.9.1', '::1', 'localhost']) {
      expect(refusedSettings({ HOST: host })).toEqual([]);
    }
  });

  test('B2: a secret whose file is empty is refused, not left out', () => {
    const file = path.join(directory, 'kek');
    writeFileSync(file, '\n');
    expect(refusedSettings({ KEK_FILE: file })).toEqual(['KEK_FILE']);
  });
});

describe('B10: names that are almost ours', () => {
  test.each([
    ['REGISTRATIN', 'REGISTRATION'],
    ['TRUSTED_PROXYS', 'TRUSTED_PROXIES'],
    ['Issuer', 'ISSUER'],
    ['KEK_FILES', 'KEK_FILE'],
    ['DATABASE_URI', 'DATABASE_URL'],
  ])('B10: %s', (name, meant) => {
    expect(loadConfig({ [name]: 'x' }).warnings).toEqual([
      `${name} is not read: did you mean ${meant}?`,
    ]);
  });

  test('B10: those of other programs are left alone', () => {
    const others = ['PATH', 'HOME', 'HOSTNAME', 'KEY', 'PORTS', 'LANG', 'USER', 'PGHOST'];
    const env = Object.fromEntries(others.map((name) => [name, 'x']));
    expect(loadConfig(env).warnings).toEqual([]);
  });

  test('B10: what is no secret is never read from a file, and that is said', () => {
    expect(refusedSettings({ ISSUER_FILE: '/run/secrets/issuer' })).toEqual(['ISSUER_FILE']);
  });
});

// By Patroni's defaults a leader is lost after `ttl`, seen within `loop_wait`; 5 s go to the change.
test('F3: the default lease outlives a failover under the defaults of Patroni', () => {
  const [ttl, loopWait, change] = [30, 10, 5];
  expect(loadConfig({}).verification.leaseSeconds).toBeGreaterThan(ttl + loopWait + change);
});

describe('F19: a database URL with several hosts', () => {
  test('is refused with what to give instead', () => {
    expect(() => loadConfig({ DATABASE_URL: 'postgres://u:p@one:5432,two:5432/latchkey' })).toThrow(
      /DATABASE_URL names several hosts.*always leads to the primary/,
    );
    expect(() => loadConfig({ DATABASE_URL: 'postgres://u:a%2Cb@one/latchkey' })).not.toThrow();
  });
});

describe('E13: an IPv6 host', () => {
  test.each(['::1', '[::1]'])('E13: HOST=%s stands in brackets in URLs', (host) => {
    expect(loadConfig({ HOST: host })).toMatchObject({
      http: { host: '::1' },
      tokens: { issuer: 'http://[::1]:3333' },
      browser: { allowedOrigins: ['http://[::1]:3333'] },
    });
  });

  test('E13: admin@localhost may be configured', () => {
    const env = { ADMIN_EMAIL: 'admin@localhost', ADMIN_PASSWORD: 'a quiet harbour at dusk' };
    expect(loadConfig(env).administrator.email).toBe('admin@localhost');
  });
});

describe('secrets in files', () => {
  test('the file is read without its last line end', () => {
    const file = path.join(directory, 'kek');
    writeFileSync(file, `new:${key},old:${randomBytes(32).toString('base64url')}\n`);
    expect(loadConfig({ KEK_FILE: file }).encryption.kek?.map(({ id }) => id)).toEqual([
      'new',
      'old',
    ]);
  });

  test('a variable and its file together are refused, and so is a file that is not there', () => {
    const missing = path.join(directory, 'missing');
    expect(refusedSettings({ KEK: `k1:${key}`, KEK_FILE: missing })).toEqual(['KEK']);
    expect(refusedSettings({ DATABASE_URL_FILE: missing })).toEqual(['DATABASE_URL_FILE']);
  });
});

describe('the key ring', () => {
  test.each(['k1:short', `k1:${key}=`, `k1:${key},k1:${key}`, key, ','])('%s is refused', (kek) => {
    expect(refusedSettings({ KEK: kek })).toEqual(['KEK']);
  });

  test('in dev a key is made once, in a file of mode 0600', () => {
    const config = loadConfig({ DATA_DIR: path.join(directory, 'data') });
    const [made] = loadKeyRing(config);
    expect(made?.key).toHaveLength(32);
    expect(loadKeyRing(config)).toEqual([made]);
    expect(statSync(path.join(directory, 'data', 'kek')).mode & 0o777).toBe(0o600);
  });

  test('a damaged file is refused, not replaced', () => {
    const config = loadConfig({ DATA_DIR: directory });
    writeFileSync(path.join(directory, 'kek'), 'damaged');
    expect(() => loadKeyRing(config)).toThrow(ConfigError);
    expect(readFileSync(path.join(directory, 'kek'), 'utf8')).toBe('damaged');
  });
});

describe('a setting', () => {
  test('has a variable of its own', () => {
    expect(variables.toSorted()).toEqual([...new Set(variables)].sort());
  });

  test('has a default that its own text gives', () => {
    for (const { variable, kind, fallback } of settingsOf(topics)) {
      if (fallback === undefined) continue;
      const written = z.encode(kind, fallback);
      expect([variable, kind.parse(written)]).toEqual([variable, fallback]);
    }
  });
});
