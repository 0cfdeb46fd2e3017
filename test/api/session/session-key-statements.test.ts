import { createHash, randomBytes } from 'node:crypto';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { serviceUse } from '../../../src/node/node-memory.ts';
import { startTestApi, type TestApi } from '../../support/api.ts';
import { withClient } from '../../support/postgres.ts';
import { everywhere, kidOf } from './session-key-world.ts';

let api: TestApi;
let cold: TestApi;
let statements: { text: string; values: unknown[] }[];
beforeAll(async () => {
  api = await startTestApi(everywhere);
  cold = await api.anotherNode();
  statements = [];
  const { readers } = cold.node.cells.home;
  const { query } = readers;
  vi.spyOn(readers, 'query').mockImplementation((statement) => {
    statements.push(statement as (typeof statements)[number]);
    return query(statement);
  });
});
afterAll(async () => {
  vi.restoreAllMocks();
  await api.stop();
});

async function newToken(): Promise<string> {
  const { email } = await api.register();
  return (await api.logIn({ email })).access_token;
}

/** How many statements `work` has sent to the database. */
async function statementsOf(work: () => Promise<unknown>): Promise<number> {
  statements.length = 0;
  await work();
  return statements.length;
}

/** The token with another kid in its header, under its old signature. */
function withKid(token: string, kid: string): string {
  const [, ...rest] = token.split('.');
  const header = JSON.stringify({ alg: 'Ed25519', typ: 'at+jwt', kid });
  return [Buffer.from(header).toString('base64url'), ...rest].join('.');
}

describe('the statements of a verification by a session key', () => {
  it('are one for a key that the process has not met, and none from then on', async () => {
    const token = await newToken();
    expect(await statementsOf(() => cold.verify(token))).toBe(1);
    expect(await statementsOf(() => cold.verify(token))).toBe(0);
    const { hits } = cold.node.memory.sessionKeys;
    expect(hits).toBeGreaterThan(0);
  });

  it('are one where many present the token at once', async () => {
    const token = await newToken();
    const all = () => Promise.all(Array.from({ length: 20 }, () => cold.verify(token)));
    expect(await statementsOf(all)).toBe(1);
  });

  // Fails when a kid is looked for before its tag is compared.
  it('are none for 10,000 kids that somebody made up', async () => {
    const token = await newToken();
    const { lookup } = cold.node.sessionKeys;
    const present = async () => {
      for (let count = 0; count < 10_000; count++) {
        const made = withKid(token, randomBytes(24).toString('base64url').replace(/^-/, 'A'));
        const verification = cold.node.memory.verifyFor(made, serviceUse(undefined));
        expect(verification).toMatchObject({ ok: false, code: 'key_needed' });
        expect(lookup.awaitedBy(verification)).toBeNull();
      }
    };
    expect(await statementsOf(present)).toBe(0);
    const some = Array.from({ length: 20 }, () => randomBytes(24).toString('base64url'));
    const overHttp = async () => {
      for (const kid of some) {
        expect(await cold.verify(withKid(token, kid))).toBe(401);
        expect((await cold.call('GET', `/keys/${kid}`)).status).toBe(404);
      }
    };
    expect(await statementsOf(overHttp)).toBe(0);
  });

  // Fails when "there is none" is not remembered: whoever has ended sessions could make us work.
  it('are one for all presentations of an ended session within half a minute', async () => {
    const token = await newToken();
    await api.call('POST', '/auth/logout', { token });
    const present = async () => {
      for (let count = 0; count < 10; count++) expect(await cold.verify(token)).toBe(401);
    };
    expect(await statementsOf(present)).toBe(1);
  });

  it('are one for the keys of a user, and one for a key that is served', async () => {
    const { email, id } = await api.register();
    const { access_token: token } = await api.logIn({ email });
    await cold.verify(token);
    const keys = () => cold.call('GET', `/users/${id}/jwks.json`, { token });
    expect(await statementsOf(keys)).toBe(1);
    expect(await statementsOf(() => cold.call('GET', `/keys/${kidOf(token)}`))).toBe(1);
  });
});

/** So many that no planner takes the whole table: half with keys of their own, a tenth ended. */
async function fill(client: pg.Client): Promise<void> {
  await client.query(`insert into latchkey.sessions (session_id, version, status, user_id,
      device_type, amr,
      audience, scope, transport, started_at, refreshed_at, expires_at, generation,
      access_expires_at, tokens_from_generation, tokens_mark_generation, tokens_mark_until, mac,
      session_key)
    select gen_random_uuid(), 1, case when n % 10 = 0 then 'ended' else 'live' end,
      gen_random_uuid(), 'web', '{pwd}', '{a}', '', 'body', now(), now(), now(), 1, now(), 1, 1,
      now(), 'x', case when n % 2 = 0 then jsonb_build_object('kid', md5(n::text)) end
    from generate_series(1, 20000) as n`);
  await client.query(`insert into latchkey.streams (stream_id, kind, version, first_pos, last_pos,
      last_recorded_at)
    select session_id, 2, 1, 0, 0, now() from latchkey.sessions on conflict do nothing`);
  await client.query('analyze latchkey.sessions, latchkey.streams');
}

describe('the look-up by kid', () => {
  it('reads one index, and rows of it alone', async () => {
    const token = await newToken();
    await statementsOf(() => cold.verify(token));
    const { text } = statements[0]!;
    await withClient(api.database.ownerUrl, async (client) => {
      await fill(client);
      await client.query(`prepare look_up (text[]) as ${text}`);
      const kids = [2, 4, 8].map((n) => createHash('md5').update(String(n)).digest('hex'));
      for (const mode of ['force_generic_plan', 'force_custom_plan']) {
        await client.query(`set plan_cache_mode = ${mode}`);
        const { rows } = await client.query(
          `explain (analyze, buffers, format json) execute look_up ('{${kids.join()}}')`,
        );
        const plan = JSON.stringify(rows[0]['QUERY PLAN']);
        expect(plan, mode).toContain('"Index Name":"sessions_kid"');
        expect(plan, mode).not.toContain('"Seq Scan"');
      }
    });
  });
});
