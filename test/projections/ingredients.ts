import { randomBytes } from 'node:crypto';
import type { GeneratedKey } from '../../src/domain/keyset/decide.ts';
import type { RefreshSession } from '../../src/domain/session/decide.ts';
import { hashSecret } from '../../src/domain/session/refresh-token.ts';
import type { UserCommand } from '../../src/domain/user/decide.ts';
import { newId } from '../../src/platform/new-id.ts';

interface Presentable {
  readonly state: { readonly generation: number };
  readonly secretHash: string;
}

/** What can happen to a registered user; `profile` is sealed. */
export function userCommands(now: number, profile: Uint8Array): readonly UserCommand[] {
  const check = { type: 'CheckPassword', now, device: null, pii: profile } as const;
  return [
    { type: 'ChangeProfile', now, pii: profile },
    { type: 'ChangePassword', now },
    { ...check, matches: false },
    { ...check, matches: false },
    { ...check, matches: false, device: { id: 'a device', epoch: 0 } },
    { ...check, matches: true, device: { id: 'a device', epoch: 0 } },
    { ...check, matches: true },
    { type: 'UnlockUser', now },
    { type: 'RaiseEpoch', now },
    { type: 'GrantRole', now, role: 'reader' },
    { type: 'RevokeRole', now, role: 'editor', otherActiveAdmins: 1 },
    { type: 'DisableUser', now, otherActiveAdmins: 1 },
    { type: 'EnableUser', now },
  ];
}

/** Presents the current token, or what the caller puts in its place. */
export function refreshCommand(
  session: Presentable,
  now: number,
  successor: { secretHash: string },
): RefreshSession {
  return {
    type: 'RefreshSession',
    now,
    presented: { generation: session.state.generation, secretHash: session.secretHash },
    successor,
    newSalt: randomBytes(16).toString('base64url'),
    idempotencyKeyHash: null,
    accessTokenTtlSeconds: 900,
    graceSeconds: 30,
    idleSeconds: 0,
    pii: randomBytes(40),
    moved: session.state.generation % 2 === 0,
  };
}

export function newSecretHash(): string {
  return hashSecret(randomBytes(32));
}

/** Its public part holds what JSON and COPY have to escape. */
export function key(): GeneratedKey {
  const kid = newId();
  return { kid, alg: 'ES256', jwk: { kty: 'EC', crv: 'P-256', x: 'x"\\', y: 'y', kid } };
}

/** A small generator (mulberry32), so that a failing seed can be run again. */
export function seededRandom(seed: number): () => number {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
