import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { KeyWrapError, localKeyWrap } from '../../../src/platform/crypto/key-wrap.ts';

const kek = (id: string) => ({ id, key: randomBytes(32) });
const secret = Buffer.from('a private key');

describe('a local key wrap', () => {
  test('unwraps what it wrapped, and no two wraps are alike', async () => {
    const keyWrap = localKeyWrap([kek('kek-1')]);
    const wrapped = await keyWrap.wrap('kid-1', secret);
    expect(wrapped).not.toBe(await keyWrap.wrap('kid-1', secret));
    expect(Buffer.from(await keyWrap.unwrap('kid-1', wrapped))).toEqual(secret);
    expect(wrapped).not.toContain(secret.toString('base64url'));
  });

  test('wraps with the first of the ring and unwraps with any', async () => {
    const [older, newer] = [kek('kek-1'), kek('kek-2')];
    const underOlder = await localKeyWrap([older]).wrap('kid-1', secret);
    const ring = localKeyWrap([newer, older]);
    const underNewer = await ring.wrap('kid-1', secret);
    for (const wrapped of [underOlder, underNewer]) {
      expect(Buffer.from(await ring.unwrap('kid-1', wrapped))).toEqual(secret);
    }
    await expect(localKeyWrap([newer]).unwrap('kid-1', underNewer)).resolves.toBeDefined();
    await expect(localKeyWrap([newer]).unwrap('kid-1', underOlder)).rejects.toThrow(
      'key kid-1 is wrapped under kek-1, which is not in the ring',
    );
  });

  // Fails when: unwrap does not compare the `for` member.
  test('is bound to the key: wrapped for one it does not unwrap as another', async () => {
    const keyWrap = localKeyWrap([kek('kek-1')]);
    const wrapped = await keyWrap.wrap('kid-1', secret);
    await expect(keyWrap.unwrap('kid-2', wrapped)).rejects.toThrow(/for another key/);
  });

  test('says so when the key-encryption key of that name is another one', async () => {
    const wrapped = await localKeyWrap([kek('kek-1')]).wrap('kid-1', secret);
    const error = await localKeyWrap([kek('kek-1')])
      .unwrap('kid-1', wrapped)
      .catch((e) => e);
    expect(error).toBeInstanceOf(KeyWrapError);
    expect(error.message).toContain('kek-1 is wrong');
  });

  // Fails when: the header is not authenticated, or the algorithms are not fixed.
  test('refuses anything altered', async () => {
    const keyWrap = localKeyWrap([kek('kek-1')]);
    const wrapped = await keyWrap.wrap('kid-1', secret);
    const parts = wrapped.split('.');
    for (let index = 0; index < parts.length; index++) {
      const bytes = Buffer.from(parts[index] ?? '', 'base64url');
      bytes[bytes.length - 1]! ^= 1;
      const altered = parts.with(index, bytes.toString('base64url')).join('.');
      await expect(keyWrap.unwrap('kid-1', altered)).rejects.toBeInstanceOf(KeyWrapError);
    }
    const header = JSON.parse(Buffer.from(parts[0] ?? '', 'base64url').toString());
    const renamed = Buffer.from(JSON.stringify({ ...header, for: 'kid-2' })).toString('base64url');
    const moved = parts.with(0, renamed).join('.');
    await expect(keyWrap.unwrap('kid-2', moved)).rejects.toBeInstanceOf(KeyWrapError);
    for (const text of ['', 'x', '....', 'e30....']) {
      await expect(keyWrap.unwrap('kid-1', text)).rejects.toThrow(/not in the wrapped form/);
    }
  });

  test('does not start on an empty ring, a short key or one id twice', () => {
    expect(() => localKeyWrap([])).toThrow(KeyWrapError);
    expect(() => localKeyWrap([{ id: 'kek-1', key: randomBytes(16) }])).toThrow(/not 32 bytes/);
    expect(() => localKeyWrap([kek('kek-1'), kek('kek-1')])).toThrow(/twice/);
  });
});
