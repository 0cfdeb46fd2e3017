import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PersonalData } from '../../src/app/personal-data.ts';
import { RecordSeal } from '../../src/eventlog/record-seal.ts';
import { rebuild, rebuildAndCompare } from '../../src/rebuild/rebuild.ts';
import { startTestApi, type TestApi, testPassword } from '../support/api.ts';
import { withClient } from '../support/postgres.ts';

let api: TestApi;
let token: string;
/** Erased, after all that can happen to a person. */
let id: string;
let sessionIds: string[];
beforeAll(async () => {
  api = await startTestApi({ SIGNING_WEB: 'session' });
  token = (await api.admin()).access_token;
  const person = await api.register('ada.lovelace@example.com');
  id = person.id;
  const first = await api.logIn({ email: person.email, fields: named('the first browser') });
  const second = await api.logIn({ email: person.email, fields: named('the second browser') });
  const phone = await api.logIn({ email: person.email, device: 'mobile' });
  await api.refresh(phone.refresh_token, { 'user-agent': 'elsewhere' });
  const body = { email: person.email, password: 'a wrong password' };
  await api.call('POST', '/auth/login', { body });
  const profile = { name: 'Ada Lovelace', phone_number: '+44 20 7946 0000' };
  await api.call('PATCH', '/auth/me', { token: second.access_token, body: profile });
  sessionIds = [first, second, phone].map(({ session }) => session.id);
  await api.register();
  expect((await api.call('DELETE', `/admin/users/${id}`, { token })).status).toBe(204);
});
afterAll(() => api.stop());

function named(name: string) {
  return { device: { type: 'web', name } };
}

const options = () => {
  const { secrets, subjectKeys } = api.node;
  return {
    databaseUrl: api.database.ownerUrl,
    keys: {
      identifierKey: secrets.identifierKey,
      seal: new RecordSeal(secrets.recordSealKey),
      unwrapSubjectKey: (subject: string, wrapped: string) => subjectKeys.unwrap(subject, wrapped),
    },
  };
};

describe('the history of an erased user', () => {
  it('is rebuilt to the live rows', async () => {
    const found = await rebuildAndCompare(options());
    expect(found.differences).toEqual([]);
    expect(found.events).toBeGreaterThan(10);
  });

  it('leads to the tombstone, without an address', async () => {
    await rebuild(options(), async (client, { schema }) => {
      const { rows } = await client.query(
        `select status, pii, roles, (select count(*) from ${schema}.credentials c
            where c.user_id = u.user_id)::int as credentials
          from ${schema}.users u where user_id = $1`,
        [id],
      );
      expect(rows).toEqual([{ status: 'erased', pii: null, roles: [], credentials: 0 }]);
    });
  });

  it('keeps its events, whose personal data reads as empty', async () => {
    const events = await api.eventsOf(id);
    expect(events.map(({ type }) => type)).toEqual([
      'UserRegistered',
      'PasswordCheckFailed',
      'ProfileChanged',
      'SubjectErased',
    ]);
    const [row] = await withClient(api.database.ownerUrl, async (owner) => {
      const found = await owner.query(
        'select count(*)::int as keys from latchkey.subject_keys where subject_id = $1',
        [id],
      );
      return found.rows;
    });
    expect(row).toEqual({ keys: 0 });
    const personal = await PersonalData.of(api.node.subjectKeys, id, null);
    for (const { pii } of events) {
      expect(personal.profile(pii)).toEqual({ email: '' });
      expect(personal.sessionOrigin(pii)).toEqual({ ip: '', user_agent: '', device_name: '' });
    }
  });

  // Fails when the answer to an old refresh token names the device that took its place.
  it('names no device to a holder of an old refresh token', async () => {
    const { email } = await api.register();
    const old = await api.logIn({ email, fields: named('the old one') });
    const { user } = await api.logIn({ email, fields: named('the new one') });
    const before = await api.refresh(old.refresh_token);
    expect(before.body).toMatchObject({
      code: 'session_superseded',
      device_name: 'the new one',
    });
    await api.call('DELETE', `/admin/users/${user.id}`, { token });
    const { status, body } = await api.refresh(old.refresh_token);
    expect([status, body.code, body.device_name]).toEqual([401, 'session_ended', undefined]);
  });

  it('leaves no private key of a session, and no ciphertext in those that it ended', async () => {
    const rows = await withClient(api.database.ownerUrl, async (owner) => {
      const found = await owner.query(
        `select end_reason, pii is null as clear, session_key from latchkey.sessions
          where session_id = any ($1) order by end_reason`,
        [sessionIds],
      );
      return found.rows;
    });
    expect(rows).toEqual([
      // Of a session that had ended before, until it is pruned: nobody has the key.
      { end_reason: 'superseded', clear: false, session_key: null },
      { end_reason: 'user_erased', clear: true, session_key: null },
      { end_reason: 'user_erased', clear: true, session_key: null },
    ]);
    const login = { email: 'ada.lovelace@example.com', password: testPassword };
    expect((await api.call('POST', '/auth/login', { body: login })).status).toBe(401);
  });
});
