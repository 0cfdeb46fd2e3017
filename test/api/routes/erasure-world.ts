import { readFileSync } from 'node:fs';
import { startTestApi, type TestApi, testPassword } from '../../support/api.ts';
import { withClient } from '../../support/postgres.ts';

type Caller = Pick<TestApi, 'call'>;

/** An API with an administrator who erases, and what tells what is left of a user. */
export async function startErasureWorld() {
  const api = await startTestApi();
  const admin = await api.admin();
  const token: string = admin.access_token;
  const erase = (id: string, node: Caller = api) =>
    node.call('DELETE', `/admin/users/${id}`, { token });
  const eraseMe = (own: string, password = testPassword, node: Caller = api) =>
    node.call('DELETE', '/auth/me', { token: own, body: { password } });
  const someone = async () => {
    const { email, id } = await api.register();
    const here = await api.logIn({ email, device: 'desktop' });
    return { email, id, here, token: here.access_token as string };
  };
  const query = (text: string, values: unknown[] = []) =>
    withClient(api.database.ownerUrl, async (owner) => (await owner.query(text, values)).rows);
  const leftOf = async (id: string) => (await query(leftSql, [id]))[0];
  /** What the erasure log says of a user. */
  const written = (id: string, file = api.node.config.erasure.log): object[] => {
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
    return lines.map((line) => JSON.parse(line)).filter(({ user_id }) => user_id === id);
  };
  const adminId: string = admin.user.id;
  return { api, token, adminId, erase, eraseMe, someone, query, leftOf, written };
}

export type ErasureWorld = Awaited<ReturnType<typeof startErasureWorld>>;

/** Where something of a user stands that could tell who it was, or let it in. */
const leftSql = `select
  (select count(*) from latchkey.subject_keys where subject_id = $1)::int as subject_keys,
  (select count(*) from latchkey.password_hashes where user_id = $1)::int as hashes,
  (select count(*) from latchkey.credentials where user_id = $1)::int as credentials,
  (select count(*) from latchkey.usernames where user_id = $1)::int as usernames,
  (select count(*) from latchkey.device_tokens where user_id = $1)::int as devices,
  (select count(*) from latchkey.session_key_secrets k join latchkey.sessions s
    on s.session_key ->> 'kid' = k.kid where s.user_id = $1)::int as session_keys,
  (select count(*) from latchkey.sessions where user_id = $1 and status = 'live')::int as live,
  (select count(*) from latchkey.sessions where user_id = $1
    and end_reason = 'user_erased' and pii is not null)::int as session_pii,
  (select count(*) from latchkey.users where user_id = $1 and pii is not null)::int as pii,
  (select count(*) from latchkey.users where user_id = $1
    and num_nonnulls(totp, recovery_code_hashes, login_challenges) > 0)::int as factors`;

export const nothing = {
  subject_keys: 0,
  hashes: 0,
  credentials: 0,
  usernames: 0,
  devices: 0,
  session_keys: 0,
  live: 0,
  session_pii: 0,
  pii: 0,
  factors: 0,
};
