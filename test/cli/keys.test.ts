import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApi, type TestApi } from '../support/api.ts';
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

  it('B1: the right one rotates', async () => {
    const { code, text } = await latchkey(['keys', 'rotate'], { KEK: kek });
    expect(code, text).toBe(0);
    expect(text).toContain('"retiring"');
  });

  it('B1: no process starts with it, and none writes', async () => {
    const before = await stored();
    await expect(api.anotherNode({ KEK: `test:${secret()}` })).rejects.toThrow(
      /nothing was written/,
    );
    expect(await stored()).toEqual(before);
  });
});
