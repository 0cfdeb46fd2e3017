import { createHmac, createPublicKey } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import type { IssuerKey, World } from './token-world.ts';
import {
  clientId,
  createIssuerKey,
  createWorld,
  decodePart,
  encodePart,
  issuer,
  refusal,
  ringEntry,
  sessionId,
  signParts,
  start,
} from './token-world.ts';

describe('the header', () => {
  let world: World;
  let other: IssuerKey;
  let claims: Record<string, unknown>;
  let header: Record<string, unknown>;

  beforeAll(async () => {
    world = await createWorld({ alg: 'RS256' });
    other = await createIssuerKey('RS256');
    world.ring.replace([ringEntry(world.key), ringEntry(other)]);
    header = decodePart(world.token, 0);
    claims = decodePart(world.token, 1);
  });

  test('in the spelling of the issuer passes, so what follows fails for its own reason', () => {
    expect(world.check(signParts(world.key, header, claims)).ok).toBe(true);
  });

  // Fails when: the comparison with the key's alg is removed, or `none` skips the signature.
  test.each(['none', 'None', 'NONE', ''])('with alg "%s" is refused, signed or not', (alg) => {
    const signed = signParts(world.key, { ...header, alg }, claims);
    const unsigned = `${signed.slice(0, signed.lastIndexOf('.'))}.`;
    expect(world.check(signed)).toEqual(refusal('alg'));
    expect(world.check(unsigned)).toEqual(refusal('not_a_token'));
  });

  test('with an alg that is no text is refused', () => {
    for (const alg of [undefined, null, 1, ['RS256']]) {
      expect(world.check(signParts(world.key, { ...header, alg }, claims))).toEqual(refusal('alg'));
    }
  });

  // Fails when: the comparison of the header's alg with the key's is removed.
  test('with HS256 over the public key as the secret is refused', () => {
    const pem = createPublicKey({ key: world.key.jwk, format: 'jwk' });
    for (const secret of [
      pem.export({ type: 'spki', format: 'pem' }),
      pem.export({ type: 'spki', format: 'der' }),
      JSON.stringify(world.key.jwk),
    ]) {
      const signed = `${encodePart({ ...header, alg: 'HS256' })}.${encodePart(claims)}`;
      const mac = createHmac('sha256', secret).update(signed).digest('base64url');
      expect(world.check(`${signed}.${mac}`)).toEqual(refusal('alg'));
    }
  });

  // Fails when: the comparison of the header's alg with the key's is removed.
  test.each(['PS256', 'RS512', 'ES256'])('with alg %s on an RS256 key is refused', (alg) => {
    expect(world.check(signParts(world.key, { ...header, alg }, claims))).toEqual(refusal('alg'));
  });

  // Fails when: the typ check is removed or ignores case.
  test.each(['JWT', 'jwt', 'AT+JWT', 'application/at+jwt', 'id+jwt', undefined, 1])(
    'with typ %s is refused',
    (typ) => {
      const token = signParts(world.key, { ...header, typ }, claims);
      expect(world.check(token)).toEqual(refusal('typ'));
    },
  );

  // Fails when: the check for other members is removed.
  test.each([
    ['crit', ['exp']],
    ['crit', []],
    ['jku', 'https://keys.example.test'],
    ['x5u', 'https://keys.example.test'],
    ['x5c', ['AA==']],
    ['b64', false],
    ['cty', 'JWT'],
    ['zip', 'DEF'],
  ])('with %s is refused', (member, value) => {
    const token = signParts(world.key, { ...header, [member]: value }, claims);
    expect(world.check(token)).toEqual(refusal('header'));
  });

  // Fails when: the check for other members is removed and the key is taken from the header.
  test('with a key of its own is refused', async () => {
    const stranger = await createIssuerKey('RS256');
    const token = signParts(stranger, { ...header, jwk: stranger.jwk }, claims);
    expect(world.check(token)).toEqual(refusal('header'));
  });

  // Fails when: any key of the ring may verify, whatever the kid.
  test('with the kid of another key is refused', () => {
    const token = signParts(world.key, { ...header, kid: other.signing.kid }, claims);
    expect(world.check(token)).toEqual(refusal('signature'));
  });

  // Fails when: the kid check is removed.
  test.each([undefined, '', 1, null, '../key', 'k'.repeat(129), "k' or 1=1"])(
    'with the kid %s is refused without a look-up',
    (kid) => {
      expect(world.check(signParts(world.key, { ...header, kid }, claims))).toEqual(refusal('kid'));
    },
  );

  test('with an unknown kid asks for the key', () => {
    const token = signParts(world.key, { ...header, kid: 'unknown' }, claims);
    expect(world.check(token)).toEqual({ ...refusal('key_unknown', 'key_needed'), kid: 'unknown' });
  });

  // Fails when: the comparison with the canonical spelling is removed from readHeader.
  test.each([
    ['a member twice', (text: string) => text.replace('{', '{"alg":"none",')],
    ['space', (text: string) => text.replace(':', ': ')],
    ['an escape', (text: string) => text.replace('at+jwt', 'at\\u002bjwt')],
    ['a byte order mark', (text: string) => `\ufeff${text}`],
    ['a list', () => '[]'],
    ['no JSON', () => 'at+jwt'],
  ])('spelled with %s is refused', (_, spell) => {
    const token = signParts(world.key, spell(JSON.stringify(header)), claims);
    expect(world.check(token)).toEqual(refusal('header'));
  });
});

describe('the one spelling of a token', () => {
  // Fails when: decodeCanonical does not compare with the encoded bytes.
  test('other spellings of the same bytes are refused', async () => {
    const world = await createWorld();
    const [header, payload, signature] = world.token.split('.') as [string, string, string];
    // 64 bytes leave four unused bits in the last character.
    const lastBits = signature.slice(0, -1) + String.fromCharCode(signature.charCodeAt(85) + 1);
    const spellings = [
      `${header}.${payload}.${lastBits}`,
      `${header}.${payload}.${signature}==`,
      `${header}.${payload}.${signature}\n`,
      ` ${world.token}`,
      `${world.token} `,
      `${header}\n.${payload}.${signature}`,
      `${header}.${payload}.${signature}.`,
      `${header}.${payload}.${signature}.x`,
      `${header}.${payload}`,
      `${header}..${signature}`,
      `.${payload}.${signature}`,
      '',
      '..',
    ];
    expect(Buffer.from(lastBits, 'base64url')).toEqual(Buffer.from(signature, 'base64url'));
    for (const token of spellings) expect(world.check(token)).toEqual(refusal('not_a_token'));
    expect(world.check(world.token).ok).toBe(true);
  });

  // Fails when: the length check is removed.
  test('a token over 8 KiB is refused before it is decoded', async () => {
    const world = await createWorld();
    const claims = { ...decodePart(world.token, 1), roles: ['r'.repeat(8_000)] };
    const token = signParts(world.key, decodePart(world.token, 0), claims);
    expect(world.check(token)).toEqual(refusal('too_long'));
  });
});

describe('the claims', () => {
  let world: World;
  beforeAll(async () => {
    world = await createWorld();
  });
  const withClaims = (change: Record<string, unknown>) =>
    signParts(world.key, decodePart(world.token, 0), { ...decodePart(world.token, 1), ...change });

  // Fails when: the type check of that claim is removed.
  test.each([
    ['exp', '9999999999'],
    ['exp', 1e300],
    ['exp', -1],
    ['nbf', null],
    ['iat', 1.5],
    ['auth_time', undefined],
    ['epoch', '0'],
    ['aud', issuer],
    ['aud', [issuer, 1]],
    ['roles', 'admin'],
    ['roles', null],
    ['roles', ['admin', 1]],
    ['scope', null],
    ['amr', { 0: 'pwd' }],
    ['scope', ['a']],
    ['sub', 'someone'],
    ['sid', sessionId.toUpperCase()],
    ['sub', null],
    ['jti', 'another'],
    ['client_id', 'another'],
    ['client_id', clientId],
    ['device_type', undefined],
    ['email', null],
    ['email_verified', 'true'],
    ['name', ['Ada']],
    ['phone_number', 4711],
  ])('%s = %j is refused', (name, value) => {
    expect(world.check(withClaims({ [name]: value }))).toEqual(refusal('claims'));
  });

  // Fails when: a session that no revocation can name is accepted.
  test('of a session whose id is none are refused, whatever the jti', () => {
    for (const sid of ['x', sessionId.toUpperCase()]) {
      expect(world.check(withClaims({ sid, jti: `${sid}.1` }))).toEqual(refusal('claims'));
    }
  });

  // Fails when: roles or scope are dropped with the empty ones.
  test('are handed out as they were signed', () => {
    const token = withClaims({ roles: ['editor', 'admin'], scope: 'read write' });
    expect(world.check(token)).toEqual({ ok: true, claims: decodePart(token, 1) });
  });

  // Fails when: absence is taken for a wrong type, or emptiness is kept.
  test('D2: roles and scope may be absent, and empty ones are as good as absent', () => {
    for (const value of [undefined, 'empty']) {
      const roles = value === undefined ? undefined : [];
      const scope = value === undefined ? undefined : '';
      const result = world.check(withClaims({ roles, scope }));
      if (!result.ok) throw new Error(result.reason);
      expect(result.claims).not.toHaveProperty('roles');
      expect(result.claims).not.toHaveProperty('scope');
    }
  });

  // Fails when: parseClaims does not compare with what JSON.stringify writes.
  test('D7: a claim that stands there twice is refused, here and in the header', () => {
    const [header, claims] = [decodePart(world.token, 0), decodePart(world.token, 1)];
    const twice = (part: object, name: string, value: string) =>
      `${JSON.stringify(part).slice(0, -1)},"${name}":${value}}`;
    const payload = twice(claims, 'roles', '["latchkey:admin"]');
    expect(world.check(signParts(world.key, header, payload))).toEqual(refusal('claims'));
    const same = twice(claims, 'sub', JSON.stringify(claims.sub));
    expect(world.check(signParts(world.key, header, same))).toEqual(refusal('claims'));
    const doubled = twice(header, 'alg', '"ES256"');
    expect(world.check(signParts(world.key, doubled, claims))).toEqual(refusal('header'));
  });

  // Fails when: only nbf is compared with the clock.
  test('D7: are refused before iat, the skew allowed', () => {
    const token = withClaims({ iat: start / 1000 + 10, nbf: start / 1000 });
    expect(world.check(token, { secondsLater: 4.999 })).toEqual(refusal('not_yet_valid'));
    expect(world.check(token, { secondsLater: 5 }).ok).toBe(true);
  });

  test('that are no object are refused', () => {
    for (const payload of ['null', '[]', '1', '{', '"x"', '\xff']) {
      const token = signParts(world.key, decodePart(world.token, 0), payload);
      expect(world.check(token)).toEqual(refusal('claims'));
    }
  });

  // Fails when: the issuer check is removed.
  test('of another issuer are refused', () => {
    const token = withClaims({ iss: `${issuer}/` });
    expect(world.check(token)).toEqual(refusal('issuer'));
  });

  // Fails when: the audience check is removed or only done without a cache hit.
  test('are refused for an audience that they do not name, also on a cache hit', () => {
    expect(world.check(world.token, { audience: 'orders' }).ok).toBe(true);
    expect(world.check(world.token, { audience: 'billing' })).toEqual(refusal('audience'));
    expect(world.check(withClaims({ aud: ['orders'] }))).toEqual(refusal('audience'));
  });

  // Fails when: the nbf check is removed.
  test('are refused before nbf, the skew allowed', () => {
    const token = withClaims({ nbf: start / 1000 + 10 });
    expect(world.check(token, { secondsLater: 4.999 })).toEqual(refusal('not_yet_valid'));
    expect(world.check(token, { secondsLater: 5 }).ok).toBe(true);
  });

  test('are frozen, because a cached token hands the same ones to everybody', () => {
    const result = world.check(world.token);
    if (!result.ok) throw new Error(result.reason);
    expect(() => (result.claims.roles as string[]).push('latchkey:admin')).toThrow(TypeError);
    expect(() => Object.assign(result.claims, { sub: 'x' })).toThrow(TypeError);
    const { aud, amr, roles } = result.claims;
    expect([aud, amr, roles].map((list) => Object.isFrozen(list))).toEqual([true, true, true]);
  });

  // Fails when: a list that a client's registration adds can be changed for the next caller.
  test('are frozen with the custom ones, which are handed out as they were signed', () => {
    const custom = { tier: 'gold', regions: ['eu'], deep: { list: [[1]] }, email: 'a@example.com' };
    const result = world.check(withClaims(custom));
    if (!result.ok) throw new Error(result.reason);
    expect(result.claims).toMatchObject(custom);
    expect(() => (result.claims.regions as string[]).push('us')).toThrow(TypeError);
    const { list } = result.claims.deep as { list: number[][] };
    expect(() => list[0]!.push(2)).toThrow(TypeError);
  });
});
