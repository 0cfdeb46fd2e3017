import { randomBytes } from 'node:crypto';
import { sha256 } from '../../src/domain/kernel/sha256.ts';
import type { GeneratedKey, KeysetCommand } from '../../src/domain/keyset/decide.ts';
import type { RefreshSession } from '../../src/domain/session/decide.ts';
import type { DeviceKey } from '../../src/domain/session/device-key.ts';
import type { SessionKey } from '../../src/domain/session/session-key.ts';
import type { UserCommand } from '../../src/domain/user/decide.ts';
import { recoveryCodeCount } from '../../src/domain/user/recovery-code.ts';
import { newId } from '../../src/platform/crypto/new-id.ts';

interface Presentable {
  readonly state: { readonly generation: number };
  readonly secretHash: string;
}

/** For each type of a union of commands what to draw from: one that is missing does not compile. */
type CommandsByType<C extends { readonly type: string }> = {
  readonly [T in C['type']]: readonly Extract<C, { readonly type: T }>[];
};

/**
 * What can happen to a registered user; `profile` is sealed. In this order, to one user, every one of
 * them has an effect.
 */
export function userCommands(
  now: number,
  profile: Uint8Array,
): Omit<CommandsByType<UserCommand>, 'RegisterUser'> {
  const check = { type: 'CheckPassword', now, device: null, pii: profile } as const;
  const device = { id: 'a device', epoch: 0 };
  const requestId = 'a request';
  const factorId = newId();
  const ask = { type: 'RequestMailProof', now, requestId } as const;
  const code = { type: 'CheckOtp', now, requestId, device: null, pii: profile } as const;
  const second = { now, device: null, pii: profile } as const;
  const hashes = Array.from({ length: recoveryCodeCount }, (_, index) => `hash ${index}`);
  return {
    ChangeProfile: [{ type: 'ChangeProfile', now, pii: profile }],
    ChangePassword: [{ type: 'ChangePassword', now }],
    CheckPassword: [
      { ...check, matches: false },
      { ...check, matches: false, device },
      { ...check, matches: true, device },
      { ...check, matches: true },
      { ...check, matches: false },
    ],
    UnlockUser: [{ type: 'UnlockUser', now }],
    RequestMailProof: [
      { ...ask, purpose: 'verification' },
      { ...ask, purpose: 'otp' },
      { ...ask, purpose: 'reset' },
    ],
    RepeatRegistration: [{ type: 'RepeatRegistration', now, requestId }],
    CheckOtp: [
      { ...code, matches: false },
      { ...code, matches: true },
    ],
    ResetPassword: [{ type: 'ResetPassword', now, requestId }],
    RequestEmailChange: [{ type: 'RequestEmailChange', now, requestId, pii: profile }],
    ChangeEmail: [{ type: 'ChangeEmail', now, requestId, pii: profile }],
    VerifyEmail: [{ type: 'VerifyEmail', now, requestId, keepsPassword: true }],
    EnrolTotp: [{ type: 'EnrolTotp', now, factorId }],
    ConfirmTotp: [
      { ...second, type: 'ConfirmTotp', factorId, matchingSteps: [], recoveryCodeHashes: hashes },
      { ...second, type: 'ConfirmTotp', factorId, matchingSteps: [1], recoveryCodeHashes: hashes },
    ],
    CheckTotp: [
      { ...second, type: 'CheckTotp', factorId, matchingSteps: [], challenge: null },
      { ...second, type: 'CheckTotp', factorId, matchingSteps: [now], challenge: null },
    ],
    CheckRecoveryCode: [
      { ...second, type: 'CheckRecoveryCode', hash: 'none of them', challenge: null },
      { ...second, type: 'CheckRecoveryCode', hash: hashes[0]!, challenge: null },
    ],
    IssueRecoveryCodes: [{ type: 'IssueRecoveryCodes', now, hashes }],
    RemoveTotp: [{ type: 'RemoveTotp', now, by: 'user' }],
    RaiseEpoch: [{ type: 'RaiseEpoch', now }],
    GrantRole: [{ type: 'GrantRole', now, role: 'reader' }],
    RevokeRole: [
      { type: 'RevokeRole', now, role: 'editor', otherActiveAdmins: 1 },
      { type: 'RevokeRole', now, role: 'reader', otherActiveAdmins: 1 },
    ],
    DisableUser: [{ type: 'DisableUser', now, otherActiveAdmins: 1 }],
    EnableUser: [{ type: 'EnableUser', now }],
    EraseSubject: [{ type: 'EraseSubject', now, otherActiveAdmins: 1 }],
  };
}

/** What can happen to the issuer's keyset; `kid` and `usableKids` are its keys. */
export function keysetCommands(
  now: number,
  { kid, usableKids }: { readonly kid: string; readonly usableKids: readonly string[] },
): CommandsByType<KeysetCommand> {
  const generated = [key(), key(), key()];
  return {
    EnsureKeys: [{ type: 'EnsureKeys', now, generated, alg: 'ES256', unusableKids: [] }],
    RotateKeys: [
      {
        type: 'RotateKeys',
        now,
        newKey: key(),
        announceSeconds: 0,
        retireForSeconds: 1,
        jwksMaxKeys: 10,
        usableKids,
      },
    ],
    RevokeKey: [{ type: 'RevokeKey', now, kid, newKey: key(), usableKids }],
    TickKeys: [
      {
        type: 'TickKeys',
        now,
        newKey: key(),
        usableKids,
        rotationSeconds: 1,
        announceSeconds: 1,
        retireForSeconds: 1,
        jwksMaxKeys: 10,
        keepRevokedForSeconds: 60,
      },
    ],
  };
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
    idempotencyKeyHash: session.state.generation % 3 === 1 ? newSecretHash() : null,
    accessTokenTtlSeconds: 900,
    graceSeconds: 30,
    keyProven: false,
    idleSeconds: 0,
    pii: randomBytes(40),
    moved: session.state.generation % 2 === 0,
  };
}

/** Its thumbprint is none: nothing here compares it with the key. */
export function deviceKey(kind: DeviceKey['kind']): DeviceKey {
  return { kind, jkt: newSecretHash(), jwk: { kty: 'EC', crv: 'P-256', x: 'x"\\', y: 'y' } };
}

export function newSecretHash(): string {
  return sha256(randomBytes(32));
}

/** The public key of a session, of which nobody has the private part. */
export function newSessionKey(): SessionKey {
  const kid = newId();
  return { kid, jwk: { kty: 'OKP', crv: 'Ed25519', x: 'x"\\', use: 'sig', alg: 'Ed25519', kid } };
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
