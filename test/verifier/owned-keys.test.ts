import { accessTokenTtlSecondsMax } from '@latchkey/contract/access-token-claims';
import type { SigningAlgorithm } from '@latchkey/contract/signing-algorithm';
import { ownedKey, type VerificationKey } from '@latchkey/verifier/key-ring';
import { describe, expect, it } from 'vitest';
import {
  createIssuerKey,
  createWorld,
  mint,
  refusal,
  sessionId,
  start,
  ttlSeconds,
  userId,
} from './token-world.ts';

const otherId = '0198c0de-0000-7000-8000-00000000000f';

/** A world in which one session has a key of its own. */
async function worldWithKey(alg: SigningAlgorithm = 'Ed25519') {
  const key = await createIssuerKey(alg);
  const { kid } = key.signing;
  const known = new Map([[kid, ownedKey({ kid, alg, jwk: key.jwk }, { sessionId, userId })]]);
  return { ...(await worldKnowing(known)), own: key, known };
}

function worldKnowing(known: ReadonlyMap<string, VerificationKey>) {
  return createWorld({
    keysBeside: (ring) => ({
      get revision() {
        return ring.revision;
      },
      find: (kid) => ring.find(kid) ?? known.get(kid),
    }),
  });
}

describe('a key of one session', () => {
  // As the README of the package says it.
  it('is made of what `GET /keys/{kid}` answers', async () => {
    const own = await createIssuerKey('Ed25519');
    const { kid, alg } = own.signing;
    const key = { ...own.jwk, kid, alg, use: 'sig', sid: sessionId, sub: userId };
    const owned = ownedKey(
      { kid: key.kid, alg: key.alg, jwk: key },
      { sessionId: key.sid, userId: key.sub },
    );
    const { check } = await worldKnowing(new Map([[kid, owned]]));
    expect(check(await mint(own))).toMatchObject({ ok: true, claims: { sid: sessionId } });
    expect(check(await mint(own, { userId: otherId }))).toEqual(refusal('key_owner'));
  });

  it.each(['Ed25519', 'ES256'] as const)('verifies the tokens of its session (%s)', async (alg) => {
    const { own, check } = await worldWithKey(alg);
    const token = await mint(own);
    expect(check(token)).toMatchObject({ ok: true, claims: { sid: sessionId, sub: userId } });
    expect(check(token)).toMatchObject({ ok: true });
  });

  // Fails when authenticateToken does not compare the owner: one leaked key would be everybody's.
  it('signs for no other session and no other user', async () => {
    const { own, check } = await worldWithKey();
    expect(check(await mint(own, { sessionId: otherId }))).toEqual(refusal('key_owner'));
    expect(check(await mint(own, { userId: otherId }))).toEqual(refusal('key_owner'));
    const twice = await mint(own, { userId: otherId, sessionId: otherId });
    expect(check(twice)).toEqual(refusal('key_owner'));
    expect(check(twice)).toEqual(refusal('key_owner'));
  });

  // Fails when the life of a token is its signer's word: a thief would need the key only once.
  it('signs for no longer than any access token lives', async () => {
    const { own, check, key } = await worldWithKey();
    const living = (seconds: number) => ({ expiresAt: start + seconds * 1000 });
    expect(check(await mint(own, living(accessTokenTtlSecondsMax)))).toMatchObject({ ok: true });
    const long = living(accessTokenTtlSecondsMax + 1);
    expect(check(await mint(own, long))).toEqual(refusal('key_lifetime'));
    const later = { ...long, issuedAt: start + 10_000 };
    expect(check(await mint(own, later))).toEqual(refusal('not_yet_valid'));
    expect(check(await mint(key, long))).toMatchObject({ ok: true });
  });

  // Fails when a session's key may give its own user rights over Latchkey.
  it.each(['latchkey:admin', 'latchkey:auditor', 'latchkey:', 'Latchkey:Admin'])(
    'gives nobody the role %s, which the issuer alone gives',
    async (role) => {
      const { own, check, verifier, key } = await worldWithKey();
      const token = await mint(own, { roles: ['editor', role] });
      expect(check(token)).toEqual(refusal('key_role'));
      expect(verifier.recognize(token)).toEqual(refusal('key_role'));
      expect(check(await mint(key, { roles: ['editor', role] }))).toMatchObject({ ok: true });
      expect(check(await mint(own, { roles: ['mylatchkey:admin'] }))).toMatchObject({ ok: true });
    },
  );

  it('is not taken for the issuer by a logout either', async () => {
    const { own, verifier } = await worldWithKey();
    const token = await mint(own, { sessionId: otherId });
    expect(verifier.recognize(token)).toEqual(refusal('key_owner'));
  });

  it('leaves the tokens of its session to the revocation set', async () => {
    const { own, check, revocations } = await worldWithKey();
    const token = await mint(own);
    check(token);
    const untilMs = start + ttlSeconds * 1000;
    revocations.apply({ kind: 'session', id: sessionId, untilMs });
    expect(check(token)).toEqual(refusal('session_revoked'));
    expect(check(await mint(own, { generation: 2 }))).toEqual(refusal('session_revoked'));
  });

  // Fails when a cached token does not ask for its key: a leaked key would outlive its session.
  it('is needed again once it is no longer known, for a cached token too', async () => {
    const { own, check, known } = await worldWithKey();
    const token = await mint(own);
    expect(check(token).ok).toBe(true);
    known.clear();
    expect(check(token)).toEqual({
      ...refusal('key_unknown', 'key_needed'),
      kid: own.signing.kid,
    });
  });
});
