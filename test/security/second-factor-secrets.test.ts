import { afterAll, beforeAll, expect, it } from 'vitest';
import { startTestApi, type TestApi, testPassword } from '../support/api.ts';
import { dumpedTables } from '../support/at-rest.ts';
import { challengeOf, complete, twoFactorUser } from '../support/authenticator.ts';
import { withClient } from '../support/postgres.ts';
import { type Finding, type Secret, SecretSearch } from '../support/secret-search.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi({ LOG_LEVEL: 'debug' });
});
afterAll(() => api.stop());

/** Which of the secrets stand in any table or log line. */
async function found(secrets: readonly Secret[]): Promise<readonly Finding[]> {
  const search = new SecretSearch(secrets);
  const inLog = search.find(Buffer.from(JSON.stringify(api.logged())), 'the log lines');
  return withClient(api.database.ownerUrl, async (owner) => {
    const findings: Finding[] = [...inLog];
    for await (const { place, bytes } of dumpedTables(owner)) {
      findings.push(...search.find(bytes, place));
    }
    return findings;
  });
}

// Fails when the secret of an app reaches a row or an event unwrapped, or a recovery code as it is.
it('no secret of a second factor is in a table or log line; a planted one is found', async () => {
  const secrets: Secret[] = [];
  const keep = (name: string, bytes: Uint8Array | string) =>
    secrets.push({ name, bytes: Buffer.from(bytes) });
  for (let count = 0; count < 3; count += 1) {
    const { email, app, recoveryCodes } = await twoFactorUser(api);
    const challenge = await challengeOf(api, { email, password: testPassword });
    await complete(api, { challenge, recovery_code: recoveryCodes[0] });
    keep('a challenge', challenge.slice(4));
    keep('the secret of an app', app.bytes);
    keep('the secret of an app in base32', app.secret);
    for (const code of recoveryCodes) {
      keep('a recovery code', code);
      keep('a recovery code without hyphens', code.replaceAll('-', ''));
    }
  }
  expect(await found(secrets)).toEqual([]);

  const [, planted] = secrets as [Secret, Secret];
  await withClient(api.database.ownerUrl, (client) =>
    client.query('insert into latchkey.totp_secrets values (gen_random_uuid(), $1)', [
      Buffer.from(planted.bytes).toString('base64url'),
    ]),
  );
  expect(await found(secrets)).toEqual([
    expect.objectContaining({ place: expect.stringContaining('totp_secrets') }),
  ]);
});
