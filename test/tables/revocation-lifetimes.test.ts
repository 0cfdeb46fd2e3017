import { describe, expect, it } from 'vitest';
import { limits } from '../../src/domain/kernel/limits.ts';
import type { SessionEvent } from '../../src/domain/session/events.ts';
import { evolveSession, initialSession } from '../../src/domain/session/state.ts';
import {
  revocationOfClient,
  revocationOfKeyset,
  revocationOfSession,
  revocationOfUser,
  revocationRow,
} from '../../src/tables/revocation.ts';

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

  // Fails when a session that was given longer tokens before keeps only the life of the last one.
  it('covers every token that it was given before', () => {
    const refreshedAt = startedAt + 1000;
    const shorter = evolveSession(started, {
      type: 'SessionRefreshed',
      data: {
        ...{ at: refreshedAt, generation: 2, accessTokenTtlSeconds: 60 },
        ...{ secretHash: 'hash-2', salt: 'salt-2', idempotencyKeyHash: null },
      },
    });
    const event = {
      type: 'SessionRevoked',
      data: { at: startedAt - 60_000, reason: 'logout' },
    } as const;
    expect(revocationOfSession('a session', shorter, event)?.until).toBe(
      startedAt + accessLifeMs + marginMs,
    );
  });
});

describe('what an event of a session revokes', () => {
  const expiry = (cause: 'absolute' | 'idle', at: number) => ({
    type: 'SessionExpired' as const,
    data: { at, cause },
  });
  const revokedBy = (event: SessionEvent) => revocationOfSession('a session', started, event);
  const tokensEnd = startedAt + accessLifeMs;

  it('is the session, when it is ended', () => {
    const event = { type: 'SessionRevoked', data: { at: tokensEnd + 1, reason: 'admin' } } as const;
    expect(revokedBy(event)).toStrictEqual({
      targetKind: 'session',
      target: 'a session',
      epoch: null,
      until: tokensEnd + 1 + accessLifeMs + marginMs,
    });
  });

  // Fails when the idle end is forgotten: a repeated answer may have carried a token just before.
  it('is the session, when it was idle for too long', () => {
    expect(revokedBy(expiry('idle', tokensEnd))).toMatchObject({ target: 'a session' });
  });

  // Fails when an end that was brought forward is taken for the one that no token outlives.
  it('is the session at its absolute end while a token may live, and nothing after that', () => {
    expect(revokedBy(expiry('absolute', tokensEnd - 1))).toMatchObject({ target: 'a session' });
    expect(revokedBy(expiry('absolute', tokensEnd))).toBeNull();
  });

  it('is nothing when it goes on', () => {
    const reuse = { at: startedAt, generation: 1, currentGeneration: 2 };
    expect(revokedBy({ type: 'RefreshTokenReuseDetected', data: reuse })).toBeNull();
  });
});

describe('what an event of another noun revokes', () => {
  const at = startedAt;
  // Any access token that was made before may live this long.
  const until = at + limits.accessTokenTtlSecondsMax * 1000 + marginMs;

  it('is every token of a user whose epoch is raised, and the roles of one that has more', () => {
    const target = { target: 'alice', epoch: 3, until };
    expect(
      revocationOfUser('alice', {
        type: 'UserEpochRaised',
        data: { at, epoch: 3, cause: 'password_changed' },
      }),
    ).toStrictEqual({ targetKind: 'user', ...target });
    expect(
      revocationOfUser('alice', { type: 'RoleRevoked', data: { at, role: 'editor', epoch: 3 } }),
    ).toStrictEqual({ targetKind: 'user', ...target });
    expect(
      revocationOfUser('alice', { type: 'UserDisabled', data: { at, epoch: 3 } }),
    ).toStrictEqual({ targetKind: 'user', ...target });
    expect(
      revocationOfUser('alice', { type: 'RoleGranted', data: { at, role: 'editor', epoch: 3 } }),
    ).toStrictEqual({ targetKind: 'roles', ...target });
    expect(revocationOfUser('alice', { type: 'UserEnabled', data: { at } })).toBeNull();
  });

  it('is every token of a disabled client; any other change says: read it again', () => {
    const target = { targetKind: 'client', target: 'gateway', until };
    expect(
      revocationOfClient('gateway', { type: 'ClientDisabled', data: { at, epoch: 2 } }),
    ).toStrictEqual({ ...target, epoch: 2 });
    expect(
      revocationOfClient('gateway', { type: 'ClientSecretRotated', data: { at, secretHash: 'h' } }),
    ).toStrictEqual({ ...target, epoch: null });
  });

  it('is every token of a revoked key; any other change says: read the keyset again', () => {
    expect(
      revocationOfKeyset('keyset', { type: 'KeyRevoked', data: { at, kid: 'k' } }),
    ).toStrictEqual({ targetKind: 'kid', target: 'k', epoch: null, until });
    expect(
      revocationOfKeyset('keyset', { type: 'KeyActivated', data: { at, kid: 'k' } }),
    ).toStrictEqual({ targetKind: 'keyset', target: 'keyset', epoch: null, until });
  });

  it('is a row that takes the position of its event', () => {
    const revocation = revocationOfClient('gateway', {
      type: 'ClientDisabled',
      data: { at, epoch: 2 },
    });
    expect(revocationRow('gateway', 1, revocation)).toStrictEqual({
      streamId: 'gateway',
      eventIndex: 1,
      target_kind: 'client',
      target: 'gateway',
      epoch: 2,
      until: new Date(until).toISOString(),
    });
  });
});
