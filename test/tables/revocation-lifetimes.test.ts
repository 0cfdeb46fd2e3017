import { describe, expect, it } from 'vitest';
import { limits } from '../../src/domain/kernel/limits.ts';
import { evolveSession, initialSession } from '../../src/domain/session/state.ts';
import { revocationOfSession } from '../../src/tables/revocation.ts';

const startedAt = 1_760_000_000_000;
const accessLifeMs = 900_000;
const marginMs = limits.revocationMarginSeconds * 1000;

const started = evolveSession(initialSession, {
  type: 'SessionStarted',
  data: {
    at: startedAt,
    userId: '01a213a0-ed25-70f3-a2db-df2f2fab427f',
    clientId: null,
    deviceType: 'web',
    amr: ['pwd'],
    audience: ['orders'],
    scope: '',
    transport: 'body',
    expiresAt: startedAt + 86_400_000,
    accessTokenTtlSeconds: accessLifeMs / 1000,
    secretHash: 'hash',
    salt: 'salt',
  },
});

describe('how long the revocation of a session is kept', () => {
  // Fails when it is kept only as long as the tokens that the log knows of: a repeated answer, as
  // late as the instant of the revocation, carried a token that lives a whole life from then.
  it('covers the token of an answer that was repeated just before', () => {
    const at = startedAt + 800_000;
    const event = { type: 'SessionRevoked', data: { at, reason: 'logout' } } as const;
    const revocation = revocationOfSession('a session', evolveSession(started, event), event);
    expect(revocation?.until).toBe(at + accessLifeMs + marginMs);
  });
});
