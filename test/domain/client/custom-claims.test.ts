import { describe, expect, it } from 'vitest';
import {
  type CustomClaims,
  customClaimProblems,
} from '../../../src/domain/client/custom-claims.ts';
import { limits } from '../../../src/domain/kernel/limits.ts';

const messages = (claims: object) =>
  customClaimProblems(claims as CustomClaims).map(({ message }) => message);

describe('custom claims', () => {
  it('are texts, integers, booleans and lists of them, under names of their own', () => {
    const claims = {
      tier: 'gold',
      seats: -3,
      beta: false,
      regions: ['eu', 'us'],
      'https://shop.example/plan': 'Größe "L"',
    };
    expect(customClaimProblems(claims)).toEqual([]);
    expect(customClaimProblems({})).toEqual([]);
  });

  // Fails when one of these may be set: it would pass for what the issuer says.
  it.each([
    ...['iss', 'sub', 'aud', 'exp', 'nbf', 'iat', 'jti', 'sid', 'client_id', 'client_epoch'],
    ...['epoch', 'auth_time', 'amr', 'acr', 'roles', 'scope', 'cnf', 'act', 'device_type'],
    ...['active', 'token_type', 'username', 'email', 'email_verified', 'name', 'phone_number'],
    ...['Roles', 'SCOPE', 'groups', 'permissions', 'realm_access'],
  ])('may not be called %s', (name) => {
    expect(customClaimProblems({ [name]: 'x' })).toEqual([
      { path: `claims.${name}`, message: 'is reserved' },
    ]);
  });

  it.each(['', '1', '_x', '__proto__', 'a b', 'quo"te', 'back\\slash', 'é', 'x'.repeat(129)])(
    'may not be called "%s"',
    (name) => {
      const claims = Object.fromEntries([[name, 'x']]);
      expect(messages(claims)).toEqual(['not a name of a claim']);
    },
  );

  it.each([null, {}, { a: 1 }, 1.5, 2 ** 53, 'a\nb', '\ud800', [], [[]], [null], undefined])(
    'may not be %j',
    (value) => expect(messages({ tier: value })).toHaveLength(1),
  );

  it('have bounds together, in bytes and in number', () => {
    const { clientClaimsBytesMax, clientClaimsMax } = limits;
    const filling = (bytes: number) => ({ tier: 'x'.repeat(bytes - '{"tier":""}'.length) });
    expect(messages(filling(clientClaimsBytesMax))).toEqual([]);
    expect(messages(filling(clientClaimsBytesMax + 1))).toHaveLength(1);
    expect(messages({ tier: 'ü'.repeat(clientClaimsBytesMax / 2) })).toHaveLength(1);
    const many = Array.from({ length: clientClaimsMax + 1 }, (_, at) => [`c${at}`, true]);
    expect(messages(Object.fromEntries(many.slice(1)))).toEqual([]);
    expect(messages(Object.fromEntries(many))).toHaveLength(1);
  });
});
