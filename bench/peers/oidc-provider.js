import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { Provider } from 'oidc-provider';
import pg from 'pg';

// oidc-provider with a Postgres adapter, for bench/http/refresh.ts: RS256, refresh tokens rotated. Its
// sessions are made by its own models, so that no browser is needed. Arguments: the database's URL, how
// many sessions. Tells its parent the port and the refresh tokens.

const [databaseUrl, sessions] = process.argv.slice(2);
const pool = new pg.Pool({ connectionString: databaseUrl, max: 10 });
await pool.query(`create table oidc_models (model text, id text, payload jsonb not null, grant_id text,
  user_code text, uid text, expires_at timestamptz, consumed_at timestamptz, primary key (model, id))`);
await pool.query('create index on oidc_models (grant_id) where grant_id is not null');
await pool.query('create index on oidc_models (uid) where uid is not null');
await pool.query('create index on oidc_models (user_code) where user_code is not null');

/** What the documentation of adapters asks for: one row per model and id. */
class PostgresAdapter {
  constructor(model) {
    this.model = model;
  }

  async upsert(id, payload, expiresIn) {
    const expiresAt = expiresIn ? new Date(Date.now() + expiresIn * 1000) : null;
    const { grantId = null, userCode = null, uid = null } = payload;
    await pool.query({
      name: 'upsert',
      text: `insert into oidc_models (model, id, payload, grant_id, user_code, uid, expires_at)
        values ($1, $2, $3, $4, $5, $6, $7) on conflict (model, id) do update set payload = excluded.payload,
        grant_id = excluded.grant_id, user_code = excluded.user_code, uid = excluded.uid,
        expires_at = excluded.expires_at`,
      values: [this.model, id, JSON.stringify(payload), grantId, userCode, uid, expiresAt],
    });
  }

  find(id) {
    return this.findBy('id', id);
  }

  findByUid(uid) {
    return this.findBy('uid', uid);
  }

  findByUserCode(userCode) {
    return this.findBy('user_code', userCode);
  }

  async findBy(column, value) {
    const { rows } = await pool.query({
      name: `find-by-${column}`,
      text: `select payload, consumed_at from oidc_models where model = $1 and ${column} = $2
        and (expires_at is null or expires_at > now())`,
      values: [this.model, value],
    });
    if (rows.length === 0) return undefined;
    const { payload, consumed_at: consumedAt } = rows[0];
    return consumedAt === null ? payload : { ...payload, consumed: consumedAt.getTime() / 1000 };
  }

  async consume(id) {
    const text = 'update oidc_models set consumed_at = now() where model = $1 and id = $2';
    await pool.query({ name: 'consume', text, values: [this.model, id] });
  }

  async destroy(id) {
    const text = 'delete from oidc_models where model = $1 and id = $2';
    await pool.query({ name: 'destroy', text, values: [this.model, id] });
  }

  async revokeByGrantId(grantId) {
    await pool.query('delete from oidc_models where grant_id = $1', [grantId]);
  }
}

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const provider = new Provider('http://127.0.0.1', {
  adapter: PostgresAdapter,
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), alg: 'RS256', use: 'sig', kid: 'bench' }] },
  clients: [
    {
      client_id: 'bench',
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code', 'refresh_token'],
      redirect_uris: ['https://app.example/callback'],
    },
  ],
  scopes: ['openid', 'offline_access'],
  rotateRefreshToken: true,
  features: { devInteractions: { enabled: false } },
  findAccount: (_context, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),
});

const tokens = [];
const client = await provider.Client.find('bench');
for (let count = 0; count < Number(sessions); count += 1) {
  const accountId = randomUUID();
  const grant = new provider.Grant({ accountId, clientId: 'bench' });
  grant.addOIDCScope('openid offline_access');
  const grantId = await grant.save();
  const authTime = Math.floor(Date.now() / 1000);
  const claims = { accountId, client, grantId, authTime, scope: 'openid offline_access' };
  tokens.push(await new provider.RefreshToken({ ...claims, gty: 'authorization_code' }).save());
}
const server = provider.listen(0, '127.0.0.1', () => {
  process.send({ port: server.address().port, tokens });
});
process.once('disconnect', () => process.exit());
