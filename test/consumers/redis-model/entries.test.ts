import { describe, expect, it } from 'vitest';
import {
  keysetEntries,
  rehearsal,
  sessionEntries,
} from '../../../src/consumers/redis-model/entries.ts';

const now = 1_000_000;
const span = { until: now + 5_000, now };

describe('the entries of a session', () => {
  it('are its id and each generation whose tokens may live', () => {
    const generations = { tokensFromGeneration: 3, generation: 4, stepUps: 1 };
    expect(sessionEntries('s', generations, span)).toEqual(
      ['s', 's.3', 's.4', 's.5'].map((name) => ['SET', `blacklist:${name}`, 1, 'PX', 5_000]),
    );
  });

  it('are none once every token has expired', () => {
    const generations = { tokensFromGeneration: 1, generation: 2, stepUps: null };
    expect(sessionEntries('s', generations, { until: now, now })).toEqual([]);
  });
});

describe('the entries of a keyset', () => {
  const key = (kid: string, status: 'active' | 'pending' | 'retiring' | 'revoked') => ({
    ...{ kid, status, alg: 'ES256' as const, generatedAt: 7 },
    ...{ activatedAt: null, retiredAt: null, removeAfter: null, revokedAt: null },
    // A private member that somebody put there stays out.
    jwk: { kty: 'EC', crv: 'P-256', x: 'x', y: 'y', d: 'secret' },
  });

  it('have no private part, no revoked key among the published, and delete those that are gone', () => {
    const keyset = { keys: [key('a', 'active'), key('r', 'revoked')] };
    const commands = keysetEntries(keyset, ['gone', 'a']);
    expect(JSON.stringify(commands)).not.toContain('secret');
    expect(commands[0]).toEqual([
      ...['DEL', 'auth:keys:recent', 'auth:keys:revoked'],
      ...['auth:keys:jwk:gone', 'auth:keys:jwk:r'],
    ]);
    expect(commands.map(([name, target]) => `${name} ${target}`).slice(1)).toEqual([
      'SET auth:keys:active',
      'SET auth:keys:jwk:a',
      'ZADD auth:keys:recent',
      'SADD auth:keys:revoked',
    ]);
  });
});

// Fails when a new command or kind of key is not rehearsed: its refusal then comes too late.
it('the rehearsal has every command of the model, and each kind of key', () => {
  const generations = { tokensFromGeneration: 1, generation: 1, stepUps: null };
  const key = { kid: 'k', alg: 'ES256' as const, generatedAt: 7, jwk: { kty: 'EC' } };
  const times = { activatedAt: null, retiredAt: null, removeAfter: null, revokedAt: null };
  const keys = (['active', 'revoked'] as const).map((status) => ({ ...key, ...times, status }));
  const entries = [...sessionEntries('s', generations, span), ...keysetEntries({ keys }, [])];
  const kindsOf = (commands: typeof rehearsal) =>
    new Set(commands.map(([name, first]) => `${name} ${String(first).split(':')[0]}`));
  expect([...kindsOf(rehearsal)]).toEqual(expect.arrayContaining([...kindsOf(entries)]));
});
