import { describe, expect, it } from 'vitest';
import { readUser } from '../../../src/app/user-import/systems.ts';
import { candidate, now, read, uuid } from './read-samples.ts';

describe('our own format', () => {
  const user = {
    id: uuid,
    email: ' Ada@Example.com',
    email_verified: true,
    disabled: true,
    roles: ['writer', 'editor', 'writer'],
    username: 'Ada.L',
    name: 'Ada',
    phone_number: null,
    picture: 'https://example.com/ada.png',
    created_at: '2020-01-01T00:00:00Z',
  };

  it('is read with all that it holds', () => {
    expect(candidate(user)).toEqual({
      userId: uuid,
      email: { address: 'Ada@example.com', key: 'ada@example.com' },
      emailVerified: true,
      disabled: true,
      username: 'ada.l',
      leavesUsernameOut: false,
      leavesSecondFactorOut: false,
      roles: ['editor', 'writer'],
      profile: { name: 'Ada', picture: 'https://example.com/ada.png' },
      passwordHash: null,
    });
  });

  // Fails when the file alone may say that an address is somebody's.
  it('says nothing about verified addresses unless it is trusted', () => {
    expect(read(user, 'latchkey', false)).toMatchObject({ emailVerified: false });
  });

  it('leaves user names out where there are none', () => {
    const options = { source: 'x', trustVerified: true, usernames: false, now };
    const left = { username: null, leavesUsernameOut: true };
    expect(readUser({ ...user, username: 'Admin' }, 'latchkey', options)).toMatchObject(left);
  });

  it('the id is kept when it is a UUID, and else the same one is made of it again', () => {
    expect(candidate({ ...user, id: uuid.toUpperCase() }).userId).not.toBe(uuid.toUpperCase());
    const made = candidate({ ...user, id: '17' }).userId;
    expect(candidate({ ...user, id: '17' }).userId).toBe(made);
    expect(candidate({ ...user, id: '18' }).userId).not.toBe(made);
    const elsewhere = readUser({ ...user, id: '17' }, 'latchkey', {
      source: 'shop',
      trustVerified: true,
      usernames: true,
      now,
    });
    expect(elsewhere).not.toMatchObject({ userId: made });
  });

  it.each([
    ['not_json', null],
    ['not_json', 'x'],
    ['not_json', []],
    ['id_invalid', { email: 'a@example.com' }],
    ['id_invalid', { id: '', email: 'a@example.com' }],
    ['id_invalid', { id: 'a@example.com', email: 'a@example.com' }],
    ['id_invalid', { id: 'x'.repeat(256), email: 'a@example.com' }],
    ['unknown_field', { id: 17, email: 'a@example.com' }],
    ['unknown_field', { id: '1', email: 'a@example.com', pasword_hash: 'x' }],
    ['unknown_field', { id: '1', email: 'a@example.com', roles: 'admin' }],
    ['unknown_field', { id: '1', email: 'a@example.com', password_hash: 'x', password_form: 'x' }],
    ['address_invalid', { id: '1' }],
    ['address_invalid', { id: '1', email: 'nobody' }],
    ['name_invalid', { id: '1', email: 'a@example.com', username: 'a@example.com' }],
    ['name_reserved', { id: '1', email: 'a@example.com', username: 'Admin' }],
    ['role_invalid', { id: '1', email: 'a@example.com', roles: ['two words'] }],
    ['role_invalid', { id: '1', email: 'a@example.com', roles: [7] }],
    [
      'role_invalid',
      { id: '1', email: 'a@example.com', roles: Array.from({ length: 101 }, (_, n) => `r${n}`) },
    ],
    ['role_reserved', { id: '1', email: 'a@example.com', roles: ['latchkey:admin'] }],
    ['role_reserved', { id: '1', email: 'a@example.com', roles: ['Latchkey:Other'] }],
    ['profile_invalid', { id: '1', email: 'a@example.com', name: '' }],
    ['profile_invalid', { id: '1', email: 'a@example.com', name: 'x'.repeat(201) }],
    ['profile_invalid', { id: '1', email: 'a@example.com', name: 'A\0da' }],
    ['profile_invalid', { id: '1', email: 'a@example.com', name: 'A\ud800da' }],
    ['profile_invalid', { id: '1', email: 'a@example.com', phone_number: '1\0' }],
    ['profile_invalid', { id: '1', email: 'a@example.com', picture: 'https://example.com/\0' }],
    ['profile_invalid', { id: '1', email: 'a@example.com', picture: 'https://example.com/\udc00' }],
    ['address_invalid', { id: '1', email: 'a\0@example.com' }],
    ['profile_invalid', { id: '1', email: 'a@example.com', picture: 'javascript:alert(1)' }],
    ['hash_unknown', { id: '1', email: 'a@example.com', password_hash: 'plain' }],
    [
      'hash_too_costly',
      {
        id: '1',
        email: 'a@example.com',
        password_hash: '$2b$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW',
      },
    ],
  ])('is refused with %s: %j', (refusal, user) => {
    expect(read(user)).toEqual({ refusal });
  });
});
