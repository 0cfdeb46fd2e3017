import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { KeyWrap } from '../../../src/platform/crypto/key-wrap.ts';
import { localKeyWrap } from '../../../src/platform/crypto/key-wrap.ts';
import {
  createSubjectKey,
  openPersonalData,
  PersonalDataError,
  SubjectKeys,
  sealPersonalData,
} from '../../../src/platform/crypto/subject-cipher.ts';

const record = { email: 'ann@example.test', name: 'Ann Ö. 🔑' };

describe('personal data', () => {
  test('opens for its subject, and no two seals are alike', () => {
    const key = createSubjectKey();
    const sealed = sealPersonalData(key, 'subject-1', record);
    expect(openPersonalData(key, 'subject-1', sealed)).toEqual(record);
    expect(sealPersonalData(key, 'subject-1', record)).not.toEqual(sealed);
    expect(Buffer.from(sealed).includes('ann@example.test')).toBe(false);
    expect(openPersonalData(key, 's', sealPersonalData(key, 's', {}))).toEqual({});
  });

  // Fails when: the subject is not authenticated.
  test('does not open for another subject, even under the same key', () => {
    const key = createSubjectKey();
    const sealed = sealPersonalData(key, 'subject-1', record);
    expect(() => openPersonalData(key, 'subject-2', sealed)).toThrow(PersonalDataError);
    expect(() => openPersonalData(createSubjectKey(), 'subject-1', sealed)).toThrow(
      PersonalDataError,
    );
  });

  // Fails when: the tag is not checked, or may be shorter.
  test('does not open with any byte altered, cut off or added', () => {
    const key = createSubjectKey();
    const sealed = sealPersonalData(key, 'subject-1', record);
    for (let at = 0; at < sealed.length; at++) {
      const altered = Uint8Array.from(sealed);
      altered[at]! ^= 1;
      expect(() => openPersonalData(key, 'subject-1', altered)).toThrow(PersonalDataError);
      const cut = sealed.subarray(0, at);
      expect(() => openPersonalData(key, 'subject-1', cut)).toThrow(PersonalDataError);
    }
    const longer = Buffer.concat([sealed, Buffer.of(0)]);
    expect(() => openPersonalData(key, 'subject-1', longer)).toThrow(PersonalDataError);
  });
});

describe('subject keys', () => {
  function countingWrap() {
    const inner = localKeyWrap([{ id: 'kek-1', key: randomBytes(32) }]);
    const counted = { unwraps: 0 };
    const keyWrap: KeyWrap = {
      ...inner,
      unwrap(keyId, wrapped) {
        counted.unwraps += 1;
        return inner.unwrap(keyId, wrapped);
      },
    };
    return { keyWrap, counted };
  }

  test('are unwrapped once while remembered; no more are remembered than allowed', async () => {
    const { keyWrap, counted } = countingWrap();
    const keys = new SubjectKeys({ keyWrap, cachedKeysMax: 2 });
    const first = await keys.newSubjectKey('subject-1');
    expect(await keys.unwrap('subject-1', first.wrapped)).toEqual(first.key);
    expect(await keys.unwrap('subject-1', first.wrapped)).toEqual(first.key);
    expect(counted.unwraps).toBe(1);
    for (const subject of ['subject-2', 'subject-3']) {
      await keys.unwrap(subject, (await keys.newSubjectKey(subject)).wrapped);
    }
    await keys.unwrap('subject-1', first.wrapped);
    expect(counted.unwraps).toBe(4);
  });

  test('are gone from memory when forgotten', async () => {
    const { keyWrap, counted } = countingWrap();
    const keys = new SubjectKeys({ keyWrap, cachedKeysMax: 2 });
    const { wrapped } = await keys.newSubjectKey('subject-1');
    await keys.unwrap('subject-1', wrapped);
    keys.forget('subject-1');
    await keys.unwrap('subject-1', wrapped);
    expect(counted.unwraps).toBe(2);
  });

  // Fails when a request that has read the row before the erasure keeps the key after it.
  test('are not remembered again by a request that was under way', async () => {
    const { keyWrap, counted } = countingWrap();
    const keys = new SubjectKeys({ keyWrap, cachedKeysMax: 2 });
    const { wrapped } = await keys.newSubjectKey('subject-1');
    const underWay = keys.unwrap('subject-1', wrapped);
    keys.forget('subject-1');
    await underWay;
    await keys.unwrap('subject-1', wrapped);
    await keys.unwrap('subject-1', wrapped);
    expect(counted.unwraps).toBe(3);
  });

  // Fails when: the wrapped key is not bound to its subject.
  test('do not unwrap for another subject', async () => {
    const { keyWrap } = countingWrap();
    const keys = new SubjectKeys({ keyWrap, cachedKeysMax: 2 });
    const { wrapped } = await keys.newSubjectKey('subject-1');
    await expect(keys.unwrap('subject-2', wrapped)).rejects.toThrow(/for another key/);
  });
});
