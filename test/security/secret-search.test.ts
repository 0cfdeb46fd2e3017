import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { SecretSearch } from '../support/secret-search.ts';

const noise = () => randomBytes(3_000);
const secret = { name: 'the secret', bytes: randomBytes(32) };
const hidden = Buffer.from(secret.bytes);
const search = new SecretSearch([
  ...Array.from({ length: 1_000 }, (_, n) => ({ name: `other ${n}`, bytes: randomBytes(32) })),
  secret,
]);

// Fails when a spelling is left out, or the window of the hash is moved by one byte.
it.each<[string, Buffer]>([
  ['raw', hidden],
  ['as hex', Buffer.from(hidden.toString('hex'))],
  ['as HEX', Buffer.from(hidden.toString('hex').toUpperCase())],
  ['as base64', Buffer.from(hidden.toString('base64'))],
  ['as base64url', Buffer.from(hidden.toString('base64url'))],
  ['as `d` of a JWK', Buffer.from(JSON.stringify({ kty: 'OKP', d: hidden.toString('base64url') }))],
  ...[1, 2, 3, 4, 5].map((before): [string, Buffer] => [
    `in base64url, ${before} bytes behind the beginning`,
    Buffer.from(Buffer.concat([randomBytes(before), hidden, randomBytes(7)]).toString('base64url')),
  ]),
  ...[1, 2, 3].map((before): [string, Buffer] => [
    `in base64, ${before} bytes behind the beginning`,
    Buffer.from(Buffer.concat([randomBytes(before), hidden, randomBytes(7)]).toString('base64')),
  ]),
])('a secret is found %s, wherever it stands', (_, spelled) => {
  for (const around of [
    [noise(), noise()],
    [Buffer.alloc(0), noise()],
    [noise(), Buffer.alloc(0)],
  ]) {
    const found = search.find(Buffer.concat([around[0]!, spelled, around[1]!]), 'here');
    expect(found.map(({ name }) => name)).toContain('the secret');
    expect(found.every(({ name, place }) => name === 'the secret' && place === 'here')).toBe(true);
  }
});

it('what is not there is not found, nor a part of it', () => {
  expect(search.find(noise(), 'here')).toEqual([]);
  expect(search.find(hidden.subarray(0, 31), 'here')).toEqual([]);
  expect(search.find(Buffer.from(hidden.toString('hex').slice(1)), 'here')).toEqual([]);
});

it('what could be found by chance is not looked for', () => {
  expect(() => new SecretSearch([{ name: 'short', bytes: randomBytes(8) }])).toThrow(/too short/);
});
