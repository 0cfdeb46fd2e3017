import { pbkdf2Sync, randomBytes, randomUUID, scryptSync } from 'node:crypto';
import { hash as argon2Hash } from '@node-rs/argon2';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { byProgram } from '../../../src/app/by.ts';
import type { Candidate } from '../../../src/app/user-import/candidate.ts';
import { importUsers } from '../../../src/app/user-import/import-users.ts';
import { readUser } from '../../../src/app/user-import/systems.ts';
import { phcString } from '../../../src/platform/crypto/foreign-hash.ts';
import { anEmail, startTestApi, type TestApi } from '../../support/api.ts';
import { bcryptHash } from '../../support/bcrypt.ts';
import { withClient } from '../../support/postgres.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi({ LOGIN_FLOOR_MS: '0' });
});
afterAll(() => api.stop());

const by = byProgram('system', 'cli');
const password = 'short';

function aCandidate(fields: Readonly<Record<string, unknown>> = {}): Candidate {
  const user = { id: randomUUID(), email: anEmail(), ...fields };
  const options = { source: 'test', trustVerified: false, usernames: true, now: Date.now() };
  const read = readUser(user, 'latchkey', options);
  if ('refusal' in read) throw new Error(read.refusal);
  return read;
}

const run = (...candidates: Candidate[]) => importUsers(api.node, candidates, by);
const logIn = ({ email }: Candidate, presented = password) =>
  api.call('POST', '/auth/login', { body: { email: email.address, password: presented } });
const owner = async (text: string, values: unknown[] = []) =>
  withClient(api.database.ownerUrl, async (client) => (await client.query(text, values)).rows);
const hashOf = async ({ userId }: Candidate) =>
  (await owner('select hash from latchkey.password_hashes where user_id = $1', [userId]))[0]
    ?.hash as string | undefined;

describe('an imported user', () => {
  it('is one event with all its rows, under the actor cli', async () => {
    const candidate = aCandidate({ name: 'Ada', roles: ['editor'], disabled: true });
    expect(await run(candidate)).toEqual(['imported']);
    const events = await api.eventsOf(candidate.userId);
    expect(events.map(({ type }) => type)).toEqual(['UserRegistered', 'UserDisabled']);
    expect(events[0]).toMatchObject({
      data: { emailVerified: false, hasPassword: false, roles: ['editor'] },
      meta: { actor: 'cli', actor_type: 'system' },
    });
    const admin = await api.admin();
    const path = `/admin/users?email=${encodeURIComponent(candidate.email.address)}`;
    const found = await api.call('GET', path, { token: admin.access_token });
    expect(found.body.users).toMatchObject([
      { id: candidate.userId, name: 'Ada', roles: ['editor'], disabled: true },
    ]);
  });

  it('logs in with the password of the other system, once: then the hash is ours', async () => {
    const salt = randomBytes(16);
    const pbkdf2 = (algorithm: 'sha1' | 'sha256' | 'sha512') => {
      const digest = pbkdf2Sync(password, salt, 1_000, 32, algorithm);
      return phcString({ kind: 'pbkdf2', algorithm, iterations: 1_000, salt, digest });
    };
    const digest = scryptSync(password, salt, 64);
    const hashes = [
      ...(['2a', '2b', '2y'] as const).map((version) => bcryptHash(password, version)),
      phcString({ kind: 'scrypt', log2N: 14, r: 8, p: 1, salt, digest }),
      ...(['sha1', 'sha256', 'sha512'] as const).map(pbkdf2),
      await argon2Hash(password, { memoryCost: 1_024 }),
      await argon2Hash(password, { memoryCost: 1_024, algorithm: 1 }),
      await argon2Hash(password, { memoryCost: 65_536, timeCost: 3 }),
    ];
    const candidates = hashes.map((password_hash) => aCandidate({ password_hash }));
    expect(await run(...candidates)).toEqual(hashes.map(() => 'imported'));
    for (const [index, candidate] of candidates.entries()) {
      expect((await logIn(candidate, 'another')).status).toBe(401);
      expect(await hashOf(candidate)).toBe(`typed:${hashes[index]}`);
      expect((await logIn(candidate)).status, hashes[index]).toBe(200);
      const ours = await hashOf(candidate);
      expect(ours).toMatch(/^\$argon2id\$v=19\$m=\d+,t=1,p=1\$/);
      expect((await logIn(candidate)).status).toBe(200);
      expect(await hashOf(candidate)).toBe(ours);
      expect((await logIn(candidate, 'another')).status).toBe(401);
    }
  });

  it('with a hash that is too costly gets no login, and holds up nobody', async () => {
    const costly = aCandidate({ password_hash: bcryptHash(password) });
    const row = `typed:$2b$31$${'C'.repeat(21)}.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW`;
    expect(await run({ ...costly, passwordHash: row })).toEqual(['imported']);
    expect((await logIn(costly)).status).toBe(401);
    const { email } = await api.register();
    await api.logIn({ email });
    const metric = await api.node.metrics.passwordHashesRefused.get();
    expect(metric.values).toContainEqual({ labels: { reason: 'hash_too_costly' }, value: 1 });
  });
});

describe('a second import', () => {
  it('of the same users makes none, and leaves what has changed since', async () => {
    const candidates = [aCandidate({ name: 'Ada' }), aCandidate()];
    await run(...candidates);
    const before = await api.eventsOf(candidates[0]!.userId);
    expect(await run(...candidates)).toEqual(['present', 'present']);
    expect(await api.eventsOf(candidates[0]!.userId)).toEqual(before);
  });

  it('of the same users at once, from two nodes, makes each once', async () => {
    const candidates = Array.from({ length: 300 }, () => aCandidate());
    const other = await api.anotherNode();
    const outcomes = await Promise.all(
      [api.node, other.node].map((node) => importUsers(node, candidates, by)),
    );
    const made = outcomes.flat().filter((outcome) => outcome === 'imported');
    const present = outcomes.flat().filter((outcome) => outcome === 'present');
    expect(made.length + present.length).toBe(600);
    expect(made.length).toBeGreaterThanOrEqual(300);
    const ids = candidates.map(({ userId }) => userId);
    const [counted] = await owner(
      `select count(*)::int as events from latchkey.events where stream_id = any ($1)`,
      [ids],
    );
    expect(counted.events).toBe(300);
    await other.stop();
  });

  it('refuses an address that another user has, and an id with another address', async () => {
    const first = aCandidate();
    await run(first);
    const sameAddress = { ...aCandidate(), email: first.email };
    const sameId = { ...aCandidate(), userId: first.userId };
    expect(await run(sameAddress, sameId)).toEqual([
      { refusal: 'address_known' },
      { refusal: 'id_known' },
    ]);
  });

  // Fails when the address is looked at first: it may be somebody's again.
  it('refuses one who was erased, also when the address is taken again', async () => {
    const [first, second] = [aCandidate(), aCandidate()];
    await run(first, second);
    const { access_token: token } = await api.admin();
    for (const { userId } of [first, second]) {
      expect((await api.call('DELETE', `/admin/users/${userId}`, { token })).status).toBe(204);
    }
    expect(await run({ ...aCandidate(), email: first.email })).toEqual(['imported']);
    const erased = { refusal: 'erased' };
    expect(await run(first, second)).toEqual([erased, erased]);
  });

  it('refuses a user name that another user has, also of the same batch', async () => {
    const [first, second, third] = ['', '', ''].map(() => aCandidate({ username: 'One.Name' }));
    const refused = { refusal: 'name_known' };
    expect(await run(first!, second!)).toEqual(['imported', refused]);
    expect(await run(third!, first!)).toEqual([refused, 'present']);
  });

  it('refuses the second of two users of one batch with the same address or id', async () => {
    const first = aCandidate();
    const others = [
      { ...aCandidate(), email: first.email },
      { ...aCandidate(), userId: first.userId },
      first,
    ];
    expect(await run(first, ...others)).toEqual([
      'imported',
      { refusal: 'address_known' },
      { refusal: 'id_known' },
      'present',
    ]);
  });

  // Fails when a conflict is taken for a race for ever.
  it('refuses an id that belongs to no user', async () => {
    const admin = await api.admin();
    const client = await api.call('POST', '/admin/clients', {
      token: admin.access_token,
      body: { name: 'shop' },
    });
    const taken = { ...aCandidate(), userId: client.body.client_id as string };
    expect(await run(taken)).toEqual([{ refusal: 'id_taken' }]);
  });
});
