import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeCursor, encodeCursor } from '../../src/app/page-cursor.ts';
import { startTestApi, type TestApi } from '../support/api.ts';
import { documentedOperations } from '../support/documented-operations.ts';

const id = '019aa8b4-6a55-7d0c-9e0e-3f7d2a1c5b60';
const inBase64 = (text: string) => Buffer.from(text).toString('base64url');
const good = encodeCursor({ at: 1_764_000_000_000, id });

const wrong: [string, string][] = [
  ['a time after the year 9999', inBase64(`253402300800000.${id}`)],
  ['the greatest time that fits in fifteen digits', inBase64(`999999999999999.${id}`)],
  ['a negative time', inBase64(`-1.${id}`)],
  ['a time that is no integer', inBase64(`1e12.${id}`)],
  ['a time with leading zeros', inBase64(`01.${id}`)],
  ['a time in other digits', inBase64(`١٢.${id}`)],
  ['an id that is no UUID', inBase64('1.x')],
  ['an id in capitals', inBase64(`1.${id.toUpperCase()}`)],
  ['a line feed at the end', inBase64(`1.${id}\n`)],
  ['something after it', inBase64(`1.${id}.1`)],
  ['padding', `${good}=`],
  ['the other alphabet of base64', Buffer.from('>>>???').toString('base64')],
  ['a character that base64 skips', `${good.slice(0, 4)}*${good.slice(4)}`],
  ['nothing', ''],
];

describe('a cursor', () => {
  it('E4: is understood in the one spelling that was handed out', () => {
    for (const at of [0, 1, 1_764_000_000_123, 253_402_300_799_999]) {
      expect(decodeCursor(encodeCursor({ at, id }))).toEqual({ at, id });
    }
  });

  // Fails when the bound on the time goes, or the look whether the text is the one we would write.
  it.each(wrong)('E4: with %s is an invalid request', (_, text) => {
    expect(() => decodeCursor(text)).toThrow('invalid_request');
  });
});

describe('any cursor at all', () => {
  let api: TestApi;
  let token: string;
  beforeAll(async () => {
    api = await startTestApi();
    token = (await api.admin()).access_token;
  });
  afterAll(() => api.stop());

  it('E4: is 200 or 400 at every list, never what a database says', async () => {
    const operations = await documentedOperations(api.url);
    const lists = operations.filter(({ parameters }) => parameters.includes('cursor'));
    expect(lists.map(({ path }) => path)).toContain('/admin/users');
    const made = fc.tuple(
      fc.oneof(fc.integer(), fc.maxSafeInteger(), fc.bigInt(), fc.double(), fc.string()),
      fc.constantFrom('.', ' ', '..', ''),
      fc.oneof(fc.uuid(), fc.constant(id), fc.string()),
    );
    const cursors = fc.oneof(
      made.map((parts) => inBase64(parts.join(''))),
      fc.string({ unit: 'binary', maxLength: 60 }),
      fc.base64String({ maxLength: 80 }),
      fc.constantFrom(good, ...wrong.map(([, text]) => text)),
    );
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...lists), cursors, async ({ path }, cursor) => {
        // Form decoding is another subject: what it refuses never becomes a cursor.
        const query = new URLSearchParams({ cursor }).toString();
        const response = await fetch(`${api.url}${path}?${query}`, {
          headers: { authorization: `Bearer ${token}` },
        });
        const text = await response.text();
        expect([200, 400], `${JSON.stringify(cursor)} ${text}`).toContain(response.status);
      }),
      { numRuns: 100 },
    );
  }, 60_000);
});
