import { generateKeyPairSync, sign } from 'node:crypto';
import { decodeProtectedHeader } from 'jose';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '../../src/platform/crypto/new-id.ts';
import { anEmail, startTestApi, type TestApi, testPassword } from '../support/api.ts';

/** Somebody holds the application role's password for the database, and not the KEK. */
let api: TestApi;
let other: TestApi;
let thief: pg.Client;
let admin: { access_token: string; user: { id: string } };

beforeAll(async () => {
  api = await startTestApi();
  other = await api.anotherNode();
  admin = await api.admin();
  thief = new pg.Client({ connectionString: api.database.appUrl });
  await thief.connect();
});
afterAll(async () => {
  await thief.end();
  await api.stop();
});

interface Victim {
  readonly id: string;
  readonly email: string;
}

/** Changes the row and says what it was, so that the next test finds it as it should be. */
async function whileForged(
  table: string,
  change: string,
  where: string,
  work: () => Promise<void>,
): Promise<void> {
  const { rows } = await thief.query(
    `select to_jsonb(t) as row from latchkey.${table} t where ${where}`,
  );
  await thief.query(`update latchkey.${table} set ${change} where ${where}`);
  try {
    await work();
  } finally {
    await thief.query(`delete from latchkey.${table} where ${where}`);
    await thief.query(
      `insert into latchkey.${table}
        select * from jsonb_populate_record(null::latchkey.${table}, $1)`,
      [rows[0].row],
    );
  }
}

const logIn = ({ email }: { email: string }) =>
  api.call('POST', '/auth/login', { body: { email, password: testPassword } });
const refused = async () => {
  const text = await api.node.metrics.registry.metrics();
  const counts = [...text.matchAll(/^latchkey_refused_rows_total\{table="(\w+)"\} (\d+)$/gm)];
  return Object.fromEntries(counts.map(([, table, count]) => [table, Number(count)]));
};
const createClient = async () => {
  const token = admin.access_token;
  const { body } = await api.call('POST', '/admin/clients', { token, body: { name: 'shop' } });
  return body;
};
/** Every node reads clients and keys again when a client was made. */
const wakeNodes = createClient;

describe('A3: who writes to the database and lacks the KEK', () => {
  it('A3: signs no token: no node believes a key that was added to the keyset row', async () => {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    const jwk = { ...publicKey.export({ format: 'jwk' }), kid: 'mine', use: 'sig', alg: 'EdDSA' };
    const mine = { kid: 'mine', alg: 'EdDSA', status: 'active', jwk, generatedAt: 1 };
    const [head, body] = admin.access_token.split('.') as [string, string];
    const header = {
      ...JSON.parse(Buffer.from(head, 'base64url').toString()),
      alg: 'EdDSA',
      kid: 'mine',
    };
    const signed = `${Buffer.from(JSON.stringify(header)).toString('base64url')}.${body}`;
    const token = `${signed}.${sign(null, Buffer.from(signed), privateKey).toString('base64url')}`;
    const change = `keys = keys || '${JSON.stringify([mine])}'::jsonb`;
    await whileForged('keysets', change, 'true', async () => {
      await wakeNodes();
      await expect.poll(async () => (await refused()).keysets).toBeGreaterThan(0);
      await expect
        .poll(() => other.logged().map(({ msg }) => msg))
        .toContain('the issuer keyset was refused: the last good one stays in use');
      for (const node of [api, other]) {
        expect(await node.verify(token)).toBe(401);
        expect(await node.verify(admin.access_token)).toBe(204);
        const { body: jwks } = await node.call('GET', '/auth/jwks');
        expect(jwks.keys.map(({ kid }: { kid: string }) => kid)).not.toContain('mine');
        expect((await node.call('GET', '/readyz/verify')).status).toBe(200);
      }
      await expect(api.anotherNode()).rejects.toThrow('internal_error');
    });
    await wakeNodes();
    const rotation = { token: admin.access_token, body: { now: true } };
    expect((await api.call('POST', '/admin/keys/rotate', rotation)).status).toBe(200);
  });

  const onUsers = [
    ['is no administrator', `roles = array['latchkey:admin']`],
    ['lifts no lock-out', `failed_checks = 0, locked_until = null, lock_count = 7`],
    ['lowers no epoch', 'epoch = epoch - 1'],
    ['proves no address', 'email_verified = not email_verified'],
    ['hides no column behind null', "registered_at = registered_at - interval '1 day'"],
  ] as const;
  it.each(onUsers)('A3: %s by a changed users row', async (_what, change) => {
    const victim = await api.register();
    const { refresh_token } = await api.logIn(victim);
    await whileForged('users', change, `user_id = '${victim.id}'`, async () => {
      expect((await logIn(victim)).status).toBe(500);
      expect((await api.refresh(refresh_token)).status).toBe(500);
      const list = await api.call('GET', '/admin/users', { token: admin.access_token });
      expect(list.status).toBe(200);
      expect(list.body.users.map(({ id }: Victim) => id)).not.toContain(victim.id);
      expect((await logIn(await api.register())).status).toBe(200);
    });
    expect((await logIn(victim)).status).toBe(200);
  });

  it('A3: a refusal is an error in the log, with an id and without a person', async () => {
    const victim = await api.register();
    await whileForged('users', 'epoch = 9', `user_id = '${victim.id}'`, async () => {
      await logIn(victim);
    });
    expect(api.logged()).toContainEqual(
      expect.objectContaining({ level: 50, table: 'users', row: victim.id }),
    );
    expect(JSON.stringify(api.logged())).not.toContain(victim.email);
  });

  it('A3: puts no earlier row of a user back', async () => {
    const victim = await api.register();
    const path = `/admin/users/${victim.id}/roles/editor`;
    await api.call('PUT', path, { token: admin.access_token });
    const where = `user_id = '${victim.id}'`;
    const { rows } = await thief.query(
      `select roles, version, epoch, mac from latchkey.users where ${where}`,
    );
    await api.call('DELETE', path, { token: admin.access_token });
    const { version, epoch, mac } = rows[0];
    const change = `roles = '{editor}', version = ${version}, epoch = ${epoch}, mac = '${mac}'`;
    await whileForged('users', change, where, async () => {
      expect((await logIn(victim)).status).toBe(500);
    });
  });

  it('A3: logs in as nobody else by a known hash, nor by moving an own one', async () => {
    const [victim, thiefUser] = [await api.register(), await api.register()];
    const { rows } = await thief.query(
      'select hash, mac from latchkey.password_hashes where user_id = $1',
      [thiefUser.id],
    );
    const where = `user_id = '${victim.id}'`;
    for (const change of [
      `hash = '${rows[0].hash}'`,
      `hash = '${rows[0].hash}', mac = '${rows[0].mac}'`,
    ]) {
      await whileForged('password_hashes', change, where, async () => {
        expect((await logIn(victim)).status).toBe(500);
      });
    }
    await thief.query('update latchkey.password_hashes set user_id = $1 where user_id = $2', [
      newId(),
      victim.id,
    ]);
    await thief.query('update latchkey.password_hashes set user_id = $1 where user_id = $2', [
      victim.id,
      thiefUser.id,
    ]);
    expect((await logIn(victim)).status).toBe(500);
  });

  it('A3: brings no earlier password back', async () => {
    const victim = await api.register();
    const where = `user_id = '${victim.id}'`;
    const { rows } = await thief.query(
      `select hash, mac from latchkey.password_hashes where ${where}`,
    );
    const { access_token: token } = await api.logIn(victim);
    const body = { current_password: testPassword, new_password: 'quite another sentence of mine' };
    expect((await api.call('POST', '/auth/password', { token, body })).status).toBe(204);
    const change = `hash = '${rows[0].hash}', mac = '${rows[0].mac}'`;
    await whileForged('password_hashes', change, where, async () => {
      expect((await logIn(victim)).status).toBe(500);
    });
  });

  it('A3: points no address at another user', async () => {
    const [victim, own] = [await api.register(), await api.register()];
    await thief.query('delete from latchkey.credentials where user_id = $1', [own.id]);
    await thief.query('update latchkey.credentials set user_id = $1 where user_id = $2', [
      own.id,
      victim.id,
    ]);
    expect((await logIn(victim)).status).toBe(500);
  });

  const onSessions = [
    ['owner', (id: string) => `user_id = '${id}'`],
    ['client', () => `client_id = gen_random_uuid()`],
    ['audience', () => `audience = audience || '{https://elsewhere.example}'`],
    ['factors', () => `amr = '{pwd,otp}'`],
    ['device type', () => `device_type = 'iot'`],
    ['scope', () => `scope = 'everything'`],
    ['expiry', () => `expires_at = expires_at + interval '1 year'`],
    ['secret', () => `secret_hash = repeat('A', 43)`],
    ['end', () => `status = 'live', generation = generation + 1`],
  ] as const;
  it.each(onSessions)('A3: refreshes no session with another %s', async (_what, change) => {
    const own = await api.register();
    const { refresh_token, session } = await api.logIn(own);
    const where = `session_id = '${session.id}'`;
    await whileForged('sessions', change(admin.user.id), where, async () => {
      expect((await api.refresh(refresh_token)).status).toBe(500);
    });
    expect((await api.refresh(refresh_token)).status).toBe(200);
  });

  // Fails when such a row counts as an ended session, which the node would also remember.
  it('A3: gives no session another key, and ends none by it', async () => {
    const signing = await api.anotherNode({ SIGNING_WEB: 'session' });
    const { access_token: token, session } = await signing.logIn(await api.register());
    const kid = decodeProtectedHeader(token).kid!;
    const keys = () => other.call('GET', `/keys/${kid}`);
    const where = `session_id = '${session.id}'`;
    const change = `session_key = jsonb_set(session_key, '{jwk,x}', '"AAAA"')`;
    await whileForged('sessions', change, where, async () => {
      expect(await other.verify(token)).toBe(500);
      expect((await keys()).status).toBe(500);
      expect((await other.call('POST', '/auth/logout', { token })).status).toBe(500);
    });
    expect(await other.verify(token)).toBe(204);
    expect((await keys()).status).toBe(200);
  });

  it('A3: brings no ended session back', async () => {
    const own = await api.register();
    const { refresh_token, session, access_token: token } = await api.logIn(own);
    const { rows } = await thief.query('select * from latchkey.sessions where session_id = $1', [
      session.id,
    ]);
    await api.call('POST', '/auth/logout', { token });
    const { version, mac, status } = rows[0];
    await thief.query(
      `update latchkey.sessions set status = $2, version = $3, mac = $4, ended_at = null,
        end_reason = null where session_id = $1`,
      [session.id, status, version, mac],
    );
    expect((await api.refresh(refresh_token)).status).toBe(500);
  });

  const onClients = [
    ['secret', `secret_hashes = array[repeat('A', 43)]`],
    ['status', `status = 'disabled'`],
    ['audiences', `audiences = audiences || '{https://elsewhere.example}'`],
    ['scopes', `scopes = '{introspect.all}'`],
  ] as const;
  it.each(onClients)('A3: gives no client another %s; the others go on', async (_what, change) => {
    const [client, untouched] = [await createClient(), await createClient()];
    const introspect = async ({ client_id, client_secret }: Record<string, string>) =>
      (
        await api.call('POST', '/oauth2/introspect', {
          basic: [client_id!, client_secret!],
          form: { token: 'x' },
        })
      ).status;
    expect(await introspect(client)).toBe(200);
    await whileForged('clients', change, `client_id = '${client.client_id}'`, async () => {
      await wakeNodes();
      await expect.poll(() => introspect(client)).toBe(401);
      expect(await introspect(untouched)).toBe(200);
    });
  });

  it('A3: stretches no invite', async () => {
    const { body } = await api.call('POST', '/admin/invites', {
      token: admin.access_token,
      body: { expires_in: 60 },
    });
    const node = await api.anotherNode({ REGISTRATION: 'invite' });
    const register = async () => {
      const person = { email: anEmail(), password: testPassword, invite: body.invite };
      return (await node.call('POST', '/auth/register', { body: person })).status;
    };
    const change = `expires_at = expires_at + interval '1 year'`;
    await whileForged('invites', change, 'true', async () => {
      expect(await register()).toBe(500);
    });
    expect(await register()).toBe(201);
  });
});
