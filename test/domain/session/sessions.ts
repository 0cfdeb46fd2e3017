import type { RefreshSession, StartSession } from '../../../src/domain/session/decide.ts';
import type { SessionRefreshed, SessionStarted } from '../../../src/domain/session/events.ts';

export const startedAt = 1_700_000_000_500;
export const dayMs = 86_400_000;
export const pii = new Uint8Array([1, 2, 3]);

export const startWeb: StartSession = {
  type: 'StartSession',
  now: startedAt,
  userId: 'alice',
  clientId: null,
  deviceType: 'web',
  amr: ['pwd'],
  audience: ['api'],
  scope: 'read',
  transport: 'body',
  lifetimes: { accessTokenTtlSeconds: 900, sessionTtlSeconds: 604_800, refreshable: true },
  secretHash: 'hash-1',
  salt: 'salt-1',
  pii,
};

export const webStarted: SessionStarted = {
  type: 'SessionStarted',
  data: {
    userId: 'alice',
    clientId: null,
    deviceType: 'web',
    amr: ['pwd'],
    audience: ['api'],
    scope: 'read',
    transport: 'body',
    at: startedAt,
    expiresAt: startedAt + 7 * dayMs,
    accessTokenTtlSeconds: 900,
    secretHash: 'hash-1',
    salt: 'salt-1',
  },
  pii,
};

/** The rotation that made `generation`, whose secret hashes to `hash-<generation>`. */
export function refreshed(
  generation: number,
  at: number,
  idempotencyKeyHash: string | null = null,
): SessionRefreshed {
  return {
    type: 'SessionRefreshed',
    data: {
      at,
      generation,
      secretHash: `hash-${generation}`,
      salt: `salt-${generation}`,
      accessTokenTtlSeconds: 900,
      idempotencyKeyHash,
    },
  };
}

/** Where a refresh came from, as ciphertext. */
export const seenPii = new Uint8Array([7, 7]);

/** Presents the genuine token of `generation`. */
export function refreshWith(
  generation: number,
  now: number,
  change: Partial<RefreshSession> = {},
): RefreshSession {
  return {
    type: 'RefreshSession',
    now,
    presented: { generation, secretHash: `hash-${generation}` },
    successor: { secretHash: `hash-${generation + 1}` },
    newSalt: `salt-${generation + 1}`,
    idempotencyKeyHash: null,
    accessTokenTtlSeconds: 900,
    graceSeconds: 30,
    keyProven: false,
    idleSeconds: 0,
    pii: seenPii,
    moved: false,
    ...change,
  };
}
