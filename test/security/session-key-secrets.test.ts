import { afterAll, beforeAll, expect, it } from 'vitest';
import { everywhere, kidOf } from '../api/session/session-key-world.ts';
import { startTestApi, type TestApi } from '../support/api.ts';
import { withClient } from '../support/postgres.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi({ ...everywhere, SESSION_KEYS_READY: '5' });
});
afterAll(() => api.stop());

/** Every row of every table of ours, as text. */
async function dump(): Promise<string> {
  return withClient(api.database.ownerUrl, async (client) => {
    const { rows: tables } = await client.query(
      `select c.oid::regclass::text as name
        from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_'
          and c.relkind in ('r', 'p')`,
    );
    const texts: string[] = [];
    for (const { name } of tables) {
      const { rows } = await client.query(`select t::text as row from ${name} as t`);
      texts.push(...rows.map(({ row }) => row as string));
    }
    return texts.join('\n');
  });
}

/** How the bytes of a secret may stand in a text. */
function spellings(secret: Buffer): string[] {
  return [secret.toString('base64url'), secret.toString('base64'), secret.toString('hex')];
}

// Fails when a private key of a session reaches the log, a row or a job without being wrapped.
it('no private key of a session stands in any table, and a planted one is found', async () => {
  const secrets: Buffer[] = [];
  const tokens = [];
  for (const device of ['web', 'mobile', 'iot', 'service']) {
    const { email } = await api.register();
    tokens.push(await api.logIn({ email, device }));
  }
  for (const { access_token, session } of tokens) {
    const kept = api.node.memory.sessionSigningKeys.find(session.id, kidOf(access_token))!;
    const { d } = kept.privateKey.export({ format: 'jwk' });
    secrets.push(Buffer.from(d!, 'base64url'));
  }
  await api.refresh(tokens[0].refresh_token);
  const wanted = secrets.flatMap(spellings);
  const text = await dump();
  for (const { access_token } of tokens) expect(text).toContain(kidOf(access_token));
  expect(wanted.filter((secret) => text.includes(secret))).toEqual([]);
  expect(text).not.toMatch(/"d"\s*:/);

  const planted = { kid: 'planted', wrapped: secrets[0]!.toString('base64url') };
  await withClient(api.database.ownerUrl, (client) =>
    client.query('insert into latchkey.session_key_secrets values ($1, $2)', [
      planted.kid,
      planted.wrapped,
    ]),
  );
  const found = await dump();
  expect(wanted.filter((secret) => found.includes(secret))).toEqual([planted.wrapped]);
});
