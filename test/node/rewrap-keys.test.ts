import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Queryable } from '../../src/eventlog/queryable.ts';
import { rewrapKeys } from '../../src/node/rewrap-keys.ts';
import { type KeyWrap, localKeyWrap } from '../../src/platform/crypto/key-wrap.ts';
import { newId } from '../../src/platform/crypto/new-id.ts';
import { subjectKeyId } from '../../src/platform/crypto/subject-cipher.ts';
import { kidOf } from '../api/session/session-key-world.ts';
import { startTestApi, type TestApi, testPassword } from '../support/api.ts';
import { challengeOf, complete, twoFactorUser } from '../support/authenticator.ts';
import { createTestDatabase, type TestDatabase, withClient } from '../support/postgres.ts';

const kek = (id: string) => ({ id, key: randomBytes(32) });
const [old, next] = [kek('old'), kek('next')];
const setting = (...ring: { id: string; key: Buffer }[]) => ({
  KEK: ring.map(({ id, key }) => `${id}:${key.toString('base64url')}`).join(','),
});
const underNext = localKeyWrap([next, old]);

let database: TestDatabase;
let owner: pg.Client;
let api: TestApi;
let email: string;
beforeEach(async () => {
  database = await createTestDatabase();
  owner = new pg.Client({ connectionString: database.ownerUrl });
  await owner.connect();
  api = await startTestApi(setting(old), database);
  ({ email } = await api.register());
});
afterEach(async () => {
  await owner.end();
  await api.stop();
});

/** How many keys stand under which key-encryption key. */
async function countByKek(): Promise<Record<string, number>> {
  const { rows } = await owner.query(
    `select wrapped from latchkey.key_secrets
      union all select wrapped from latchkey.subject_keys
      union all select wrapped from latchkey.session_key_secrets
      union all select wrapped from latchkey.totp_secrets`,
  );
  const counts: Record<string, number> = {};
  for (const { wrapped } of rows) {
    const kid = underNext.kekIdOf(wrapped) ?? 'unknown';
    counts[kid] = (counts[kid] ?? 0) + 1;
  }
  return counts;
}

/** The owner's session, with something that happens before or after each statement. */
function seen(on: {
  readonly before?: (text: string) => Promise<unknown> | undefined;
  readonly after?: (text: string, rows: readonly unknown[]) => void;
}): Queryable {
  return {
    query: async (statement) => {
      await on.before?.(statement.text);
      const result = await owner.query(statement);
      on.after?.(statement.text, result.rows);
      return result;
    },
  };
}

async function addSubjectKeys(count: number, keyWrap: KeyWrap): Promise<void> {
  const ids = Array.from({ length: count }, () => newId());
  const wrapped = await Promise.all(
    ids.map((id) => keyWrap.wrap(subjectKeyId(id), randomBytes(32))),
  );
  await owner.query(
    'insert into latchkey.subject_keys select * from unnest($1::uuid[], $2::text[])',
    [ids, wrapped],
  );
}

/** No transaction of the whole server, where other tests work too, is as old as what was done. */
async function everythingBeforeIsOver(): Promise<void> {
  const done = (await owner.query('select pg_current_xact_id()::text as id')).rows[0].id;
  const isOver = async () =>
    (
      await owner.query('select pg_snapshot_xmin(pg_current_snapshot()) > $1::text::xid8 as over', [
        done,
      ])
    ).rows[0].over;
  await expect.poll(isOver, { timeout: 30_000 }).toBe(true);
}

describe('given a service that wraps under an old key', () => {
  it('every key is wrapped anew, and the old one opens nothing that is needed', async () => {
    const tokens = await api.logIn({ email });
    const before = await countByKek();
    const { rewrapped, keys } = await rewrapKeys(owner, underNext);
    expect(before).toEqual({ old: keys });
    expect(rewrapped).toBe(keys);
    expect(await countByKek()).toEqual({ next: keys });
    const restarted = await api.anotherNode(setting(next));
    expect((await restarted.refresh(tokens.refresh_token)).status).toBe(200);
    expect((await restarted.logIn({ email })).user.email).toBe(email);
    await expect(api.anotherNode(setting(old))).rejects.toThrow(/nothing was written/);
  });

  it('the keys of sessions are among them, and their sessions go on', async () => {
    const own = await api.anotherNode({ SIGNING_WEB: 'session' });
    const tokens = await own.logIn({ email });
    await own.stop();
    const { keys } = await rewrapKeys(owner, underNext);
    expect(await countByKek()).toEqual({ next: keys });
    const restarted = await api.anotherNode(setting(next));
    const { body } = await restarted.refresh(tokens.refresh_token);
    expect(kidOf(body.access_token)).toBe(kidOf(tokens.access_token));
    expect(await restarted.verify(body.access_token)).toBe(204);
  });

  it('the secrets of second factors are among them, and their codes stay good', async () => {
    const user = await twoFactorUser(api);
    const { keys } = await rewrapKeys(owner, underNext);
    expect(await countByKek()).toEqual({ next: keys });
    const restarted = await api.anotherNode(setting(next));
    const challenge = await challengeOf(restarted, { email: user.email, password: testPassword });
    const { status } = await complete(restarted, { challenge, totp: user.app.code(1) });
    expect(status).toBe(200);
  });

  it('a second run finds nothing to do', async () => {
    const { keys } = await rewrapKeys(owner, underNext);
    expect(await rewrapKeys(owner, underNext)).toEqual({ rewrapped: 0, keys });
  });

  // Fails when the proof is left out: the old key would be taken away while a row still needs it.
  it('it says so when a process still wraps under the old key', async () => {
    await rewrapKeys(owner, underNext);
    const client = seen({
      before: (text) => (/^lock table/.test(text) ? api.register() : undefined),
    });
    await expect(rewrapKeys(client, underNext)).rejects.toThrow('1 under old');
    expect(await rewrapKeys(owner, underNext)).toMatchObject({ rewrapped: 1 });
  });

  // Fails when what was done is looked for by its key-encryption key, which no index knows.
  it('a run that was cut off goes on page by page, past what is done already', async () => {
    await addSubjectKeys(1_200, localKeyWrap([old]));
    let updates = 0;
    const cut = seen({
      before: async (text) => {
        if (/^update/.test(text)) updates += 1;
        if (updates === 3) throw new Error('cut');
      },
    });
    await expect(rewrapKeys(cut, underNext)).rejects.toThrow('cut');
    const pages: number[] = [];
    const client = seen({
      after: (text, rows) => {
        if (/^select subject_id/.test(text)) pages.push(rows.length);
      },
    });
    const { rewrapped, keys } = await rewrapKeys(client, underNext);
    expect(rewrapped).toBeLessThan(keys);
    expect(await countByKek()).toEqual({ next: keys });
    expect(Math.max(...pages)).toBe(500);
  });

  // Fails when the proof reads every key while it keeps writers out.
  it('the proof reads only what was written meanwhile', async () => {
    await addSubjectKeys(800, underNext);
    await rewrapKeys(owner, underNext);
    await everythingBeforeIsOver();
    let proven: readonly unknown[] = ['nothing'];
    const client = seen({
      after: (text, rows) => {
        if (text.includes('age(xmin)')) proven = rows;
      },
    });
    await rewrapKeys(client, underNext);
    expect(proven).toEqual([]);
  });

  it('keys that do not open are named, once all the others are done', async () => {
    await owner.query(
      "update latchkey.key_secrets set wrapped = 'garbage' where kid like 'refresh%'",
    );
    await addSubjectKeys(1, localKeyWrap([kek('lost')]));
    const run = rewrapKeys(owner, underNext);
    await expect(run).rejects.toThrow(
      /^2 keys do not open, \d+ were wrapped anew: key refresh-mac-1 /,
    );
    await expect(run).rejects.toThrow(/is wrapped under lost, which is not in the ring/);
    const counts = await countByKek();
    expect(counts).toEqual({ next: expect.any(Number), lost: 1, unknown: 1 });
  });

  it('a writer that keeps its lock is named, and nothing is claimed', async () => {
    await withClient(database.ownerUrl, async (writer) => {
      await writer.query('begin');
      await writer.query('lock table latchkey.subject_keys in row exclusive mode');
      await expect(rewrapKeys(owner, underNext)).rejects.toThrow(
        /nothing is proven: run this again/,
      );
      await writer.query('rollback');
    });
  });

  // Fails when a node whose users it cannot read any more says that it is ready.
  it('a node that was not given the new key says so', async () => {
    await rewrapKeys(owner, underNext);
    const { status, body } = await api.call('GET', '/readyz');
    expect([status, body.failing]).toEqual([503, ['kek']]);
    const restarted = await api.anotherNode(setting(next, old));
    expect((await restarted.call('GET', '/readyz')).status).toBe(200);
  });
});
