import { accessTokenCharactersMax } from '@latchkey/contract/access-token-claims';
import { deviceTypes } from '@latchkey/contract/device-type';
import { signingAlgorithms } from '@latchkey/contract/signing-algorithm';
import { KeyRing } from '@latchkey/verifier/key-ring';
import { LogLeases } from '@latchkey/verifier/lease';
import { RevocationSet } from '@latchkey/verifier/revocation-set';
import { createVerifier } from '@latchkey/verifier/verify';
import { describe, expect, it } from 'vitest';
import { signAccessToken } from '../../../src/app/session/sign-access-token.ts';
import { limits } from '../../../src/domain/kernel/limits.ts';
import { charactersInToken } from '../../../src/domain/kernel/token-room.ts';
import { decideUser } from '../../../src/domain/user/decide.ts';
import { evolveUser } from '../../../src/domain/user/evolve.ts';
import { initialUser } from '../../../src/domain/user/state.ts';
import {
  clientId,
  createIssuerKey,
  ringEntry,
  sessionId,
  userId,
} from '../../verifier/token-world.ts';

const issuer = `https://${'i'.repeat(limits.issuerCharactersMax - 'https://'.length)}`;
const now = Date.UTC(2030, 0, 1);

/** Entries of at most `entryMax` characters that take all of `room` in a token. */
function filling(room: number, entryMax: number): string[] {
  const list: string[] = [];
  for (let left = room; left > 3; left = room - charactersInToken(list)) {
    const length = Math.min(entryMax, left - 3);
    list.push(`${list.length}`.padEnd(length, 'x').slice(0, length));
  }
  return list;
}

describe('the largest token that can be granted', () => {
  const roles = filling(limits.tokenRolesCharactersMax, limits.roleCharactersMax);
  const audience = filling(limits.tokenAudiencesCharactersMax, limits.audienceCharactersMax);
  const input = {
    issuer,
    userId,
    userEpoch: 0x7fff_ffff,
    sessionId,
    generation: 0x7fff_ffff,
    audience,
    client: { id: clientId, epoch: 0x7fff_ffff },
    amr: ['pwd', 'otp', 'hwk', 'mfa'],
    roles,
    scope: 's'.repeat(limits.tokenScopeCharactersMax),
    deviceType: deviceTypes.toSorted((a, b) => b.length - a.length)[0]!,
    boundTo: 'k'.repeat(43),
    customClaims: { c: 'c'.repeat(limits.clientClaimsBytesMax - '{"c":""}'.length) },
    authenticatedAt: now,
    issuedAt: now,
    expiresAt: now + 60_000,
  };

  // Fails when one of the limits is raised without a look at the whole.
  it.each(signingAlgorithms)('A10: is accepted, signed with %s', async (alg) => {
    const key = await createIssuerKey(alg);
    const keyRing = new KeyRing();
    keyRing.replace([ringEntry(key)]);
    const leases = new LogLeases({ leaseSeconds: 30, policy: 'refuse' });
    leases.put('log');
    leases.ofLog('log').renew({ now, monotonicNow: 0 });
    const verifier = createVerifier({
      issuer,
      keyRing,
      revocations: new RevocationSet({ clockSkewSeconds: 5 }),
      leases,
      clockSkewSeconds: 5,
      cacheBytesMax: 0,
    });
    const token = await signAccessToken({ key: key.signing, ...input });
    expect(token.length).toBeGreaterThan(6_500);
    const at = { now, monotonicNow: 0, audience: audience[0]!, keyProof: 'caller_checks' } as const;
    expect(verifier.verify(token, at).ok).toBe(true);

    // Of a long profile as much as fits, in whole claims.
    const profile = { email: 'é'.repeat(254), email_verified: true, name: '👩'.repeat(200) };
    const told = await signAccessToken({ key: key.signing, ...input, profile });
    const answer = verifier.verify(told, at);
    expect(answer).toMatchObject({ ok: true, claims: { email_verified: true } });
    expect(told.length).toBeLessThanOrEqual(accessTokenCharactersMax);
  });

  it('A10: one that no verifier would read is not given out', async () => {
    const { signing } = await createIssuerKey();
    const scope = 's'.repeat(accessTokenCharactersMax);
    await expect(signAccessToken({ key: signing, ...input, scope })).rejects.toThrow('refuses');
  });

  it('A10: takes all the roles that may be granted', () => {
    const register = {
      type: 'RegisterUser',
      now,
      pii: new Uint8Array(),
      emailVerified: true,
      hasPassword: true,
    } as const;
    const { events } = decideUser(initialUser, { ...register, roles });
    const user = events.reduce(evolveUser, initialUser);
    expect(charactersInToken(user.roles)).toBe(limits.tokenRolesCharactersMax);
    expect(() => decideUser(user, { type: 'GrantRole', now, role: 'r' })).toThrow(
      'invalid_request',
    );
    const tooMany = [...roles.slice(1), 'x'.repeat(roles[0]!.length), 'r'];
    expect(() => decideUser(initialUser, { ...register, roles: tooMany })).toThrow(
      'invalid_request',
    );
  });
});
