import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { issuerKeysetId } from '../../src/domain/kernel/ids.ts';
import { startTestApi, type TestApi } from '../support/api.ts';
import { withClient } from '../support/postgres.ts';
import { runLatchkey } from '../support/run-latchkey.ts';

const secret = () => randomBytes(32).toString('base64url');
const kek = `test:${secret()}`;
const dataDir = mkdtempSync(path.join(tmpdir(), 'latchkey-keys-'));
let api: TestApi;
beforeAll(async () => {
  api = await startTestApi({ KEK: kek });
});
afterAll(async () => {
  await api.stop();
  rmSync(dataDir, { recursive: true });
});

async function latchkey(args: string[], env: Record<string, string>) {
  const base = { DATABASE_URL: api.database.appUrl, APP_ENV: 'dev', LOG_LEVEL: 'fatal' };
  const { code, stdout, stderr } = await runLatchkey(args, { ...base, DATA_DIR: dataDir, ...env });
  return { code, text: code === 0 ? stdout : stderr };
}

const stored = async () =>
  (
    await api.node.cells.home.readers.query({
      text: `select (select jsonb_agg(k.kid order by k.kid) from latchkey.key_secrets k) as secrets,
        (select last_value from latchkey.event_pos) as head`,
    })
  ).rows[0];

describe('B1: latchkey keys rotate with a KEK that is not the database’s own', () => {
  // Fails when the command wraps a key before it has opened one: it ended with exit code 0.
  it.each([
    ['of the same id and other bytes', { KEK: `test:${secret()}` }, /not the one of this database/],
    ['of another id', { KEK: `other:${secret()}` }, /not the one of this database/],
    ['that is missing', {}, /KEK must be set/],
  ])('B1: writes nothing and says so: one %s', async (_what, env, message) => {
    const before = await stored();
    const { code, text } = await latchkey(['keys', 'rotate'], env as Record<string, string>);
    expect([code, text]).toEqual([1, expect.stringMatching(message)]);
    expect(await stored()).toEqual(before);
    expect(readdirSync(dataDir)).toEqual([]);
  });

  // Fails when a rotation by hand promotes a key whatever its age.
  it('D3: the right one waits until verifiers must know the next key', async () => {
    const before = await stored();
    expect(await latchkey(['keys', 'rotate'], { KEK: kek })).toEqual({
      code: 1,
      text: expect.stringMatching(/do not know the next key yet .*"possible_at":"20.*\(conflict\)/),
    });
    expect(await stored()).toEqual(before);
  });

  it('B1: the right one rotates with --now, and says what that costs', async () => {
    const env = { DATABASE_URL: api.database.appUrl, APP_ENV: 'dev', LOG_LEVEL: 'fatal' };
    const args = ['keys', 'rotate', '--now'];
    const run = await runLatchkey(args, { ...env, DATA_DIR: dataDir, KEK: kek });
    expect(run).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('"retiring"'),
      stderr: expect.stringMatching(/may refuse its tokens .* \d+ s/),
    });
  });

  // Fails when a retired key is kept until an instant of a clock that is an hour off.
  it('F13: on a machine whose clock is off, it writes nothing and says by how much', async () => {
    const before = await stored();
    const anHourAhead = 'const now = Date.now; Date.now = () => now() + 3600_000;';
    const { code, text } = await latchkey(['keys', 'rotate'], {
      KEK: kek,
      NODE_OPTIONS: `--import="data:text/javascript,${encodeURIComponent(anHourAhead)}"`,
    });
    expect([code, text]).toEqual([1, expect.stringContaining('3600 s ahead of the database')]);
    expect(await stored()).toEqual(before);
  });

  it('B1: no process starts with it, and none writes', async () => {
    const before = await stored();
    await expect(api.anotherNode({ KEK: `test:${secret()}` })).rejects.toThrow(
      /nothing was written/,
    );
    expect(await stored()).toEqual(before);
  });
});

describe('latchkey keys beside a database that is too slow for a while', () => {
  const rotations = async () =>
    (await api.eventsOf(issuerKeysetId)).filter(({ type }) => type === 'KeyRetired').length;

  /** Asked outside the transaction below, which would see its first look again. */
  const hasTried = () =>
    withClient(api.database.ownerUrl, async (client) => {
      const { rowCount } = await client.query(
        `select from pg_stat_activity where datname = current_database()
          and application_name like 'latchkey keys%' and query like '%latchkey.append%'`,
      );
      return rowCount! > 0;
    });

  // Fails when the command gives up after the second and a half that a request has.
  it('tries again, and rotates once', async () => {
    const before = await rotations();
    await withClient(api.database.ownerUrl, async (owner) => {
      await owner.query('begin');
      await owner.query('select from latchkey.streams where stream_id = $1 for update', [
        issuerKeysetId,
      ]);
      const rotating = latchkey(['keys', 'rotate', '--now'], { KEK: kek });
      await expect.poll(hasTried, { timeout: 20_000 }).toBe(true);
      await owner.query('select pg_sleep(2)');
      await owner.query('commit');
      const { code, text } = await rotating;
      expect(code, text).toBe(0);
    });
    expect(await rotations()).toBe(before + 1);
  });
});

describe('latchkey keys rewrap', () => {
  it('moves every key under the first one of KEK, and says what comes next', async () => {
    const next = `next:${secret()}`;
    const ring = { KEK: `${next},${kek}` };
    const { code, text } = await latchkey(['keys', 'rewrap'], ring);
    expect([code, text]).toEqual([
      0,
      expect.stringMatching(/^\d+ keys wrapped anew; all \d+ are under next now\.\nTake the older/),
    ]);
    expect((await latchkey(['keys', 'list'], { KEK: next })).code).toBe(0);
    expect((await latchkey(['keys', 'list'], { KEK: kek })).text).toMatch(/under next/);
  });
});
