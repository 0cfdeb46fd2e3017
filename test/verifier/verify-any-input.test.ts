import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createWorld, decodePart, encodePart, signParts } from './token-world.ts';

describe('whatever the input', () => {
  test('verify answers, throws nothing and accepts only the genuine token', async () => {
    const world = await createWorld();
    const pieces = world.token.split('.');
    const part = fc.oneof(
      fc.constantFrom(...pieces),
      fc.json().map(encodePart),
      fc.base64String(),
      fc.string({ unit: 'binary' }),
    );
    const candidate = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(part, { minLength: 1, maxLength: 5 }).map((parts) => parts.join('.')),
      fc.anything().map((value) => value as string),
      fc
        .tuple(fc.nat(world.token.length), fc.string({ maxLength: 3 }), fc.nat(3))
        .map(([at, text, cut]) => world.token.slice(0, at) + text + world.token.slice(at + cut)),
    );
    fc.assert(
      fc.property(candidate, (token) => {
        expect(world.check(token).ok).toBe(token === world.token);
      }),
      { numRuns: 2_000 },
    );
  });

  test('signed but odd headers and payloads are answered too', async () => {
    const world = await createWorld({ alg: 'EdDSA' });
    const header = decodePart(world.token, 0);
    const claims = decodePart(world.token, 1);
    const odd = fc.tuple(
      fc.dictionary(fc.constantFrom('alg', 'typ', 'kid', 'crit', '__proto__'), fc.jsonValue()),
      fc.dictionary(fc.constantFrom(...Object.keys(claims), '__proto__'), fc.jsonValue()),
    );
    fc.assert(
      fc.property(odd, fc.boolean(), ([oddHeader, oddClaims], keepHeader) => {
        const token = signParts(world.key, keepHeader ? header : { ...header, ...oddHeader }, {
          ...claims,
          ...oddClaims,
        });
        expect(typeof world.check(token).ok).toBe('boolean');
      }),
      { numRuns: 500 },
    );
  });
});
