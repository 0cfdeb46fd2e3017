import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readStream } from '../../src/eventlog/read.ts';
import { anEmail, testPassword } from '../support/api.ts';
import { type ApiProcess, post, startApiProcess } from '../support/api-process.ts';
import { Authenticator } from '../support/authenticator.ts';
import { createTestDatabase, type TestDatabase, withClient } from '../support/postgres.ts';
import { served } from '../support/served.ts';

let database: TestDatabase;
let nodes: ApiProcess[];
beforeAll(async () => {
  database = await createTestDatabase();
  nodes = await Promise.all([startApiProcess(database.appUrl), startApiProcess(database.appUrl)]);
});
afterAll(async () => {
  await Promise.all(nodes.map((node) => node.stop()));
  await database.drop();
});

/** A busy machine may answer a login 503 and commit it; it is asked again, and refused. */
let wasBusy = false;
const ask = (index: number, path: string, body: object, headers: Record<string, string> = {}) =>
  served(
    () => post(`${nodes[index % 2]!.url}${path}`, body, headers),
    () => {
      wasBusy = true;
    },
  );
const expectOne = (won: number) => {
  expect(won).toBeLessThanOrEqual(1);
  if (!wasBusy) expect(won).toBe(1);
};
const countOf = (userId: string, type: string) =>
  withClient(database.ownerUrl, async (owner) => {
    const events = await readStream(owner, userId);
    return events.filter((event) => event.type === type).length;
  });

async function twoFactorUser() {
  const email = anEmail();
  const { body: registered } = await ask(0, '/auth/register', { email, password: testPassword });
  const { body: tokens } = await ask(0, '/auth/login', { email, password: testPassword });
  const headers = { authorization: `Bearer ${tokens.access_token}` };
  const { body: enrolled } = await ask(0, '/auth/totp/enrol', {}, headers);
  const app = new Authenticator(enrolled.secret);
  const { body } = await ask(0, '/auth/totp/confirm', { totp: app.code() }, headers);
  return { email, id: registered.user.id as string, app, codes: body.recovery_codes as string[] };
}

/** Twenty challenges of one user, and twenty logins at once that answer them over two processes. */
async function twentyAtOnce(email: string, factor: object) {
  const challenges: string[] = [];
  for (let index = 0; index < 20; index += 1) {
    const { body } = await ask(index, '/auth/login', { email, password: testPassword });
    challenges.push(body.challenge);
  }
  const answers = await Promise.all(
    challenges.map((challenge, index) => ask(index, '/auth/login', { challenge, ...factor })),
  );
  return answers.filter(({ status }) => status === 200).length;
}

// Fails when a process remembers by itself what was accepted.
describe('twenty logins at once over two processes', () => {
  it('with one code of the app are one login', async () => {
    const { id, email, app } = await twoFactorUser();
    expectOne(await twentyAtOnce(email, { totp: app.code(1) }));
    expect(await countOf(id, 'FactorAccepted')).toBe(1);
  });

  it('with one recovery code are one login', async () => {
    const { id, email, codes } = await twoFactorUser();
    expectOne(await twentyAtOnce(email, { recovery_code: codes[0] }));
    expect(await countOf(id, 'RecoveryCodeUsed')).toBe(1);
  });
});
