import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { besideTheStream } from '../../docs-generator/events-page.ts';
import { byProgram } from '../../src/app/by.ts';
import { expireSession } from '../../src/app/session/expire-session.ts';
import type { StreamKind } from '../../src/domain/kernel/event.ts';
import type { Command } from '../../src/eventlog/command.ts';
import { findSession } from '../../src/tables/session.ts';
import { streams } from '../../src/tables/streams.ts';
import { anEmail, startTestApi, type TestApi, testPassword } from '../support/api.ts';
import { enrolAndRemove } from '../support/authenticator.ts';
import { boundSession, provenRefresh } from '../support/dpop.ts';
import { recordSentCommands } from '../support/sent-commands.ts';

let api: TestApi;
let commands: Command[];

beforeAll(async () => {
  commands = recordSentCommands();
  api = await startTestApi({ SIGNING_WEB: 'session', USERNAMES: 'on' });
});
afterAll(async () => {
  vi.restoreAllMocks();
  await api.stop();
});

const said = Object.entries(besideTheStream) as [string, readonly string[]][];

const eventsOf = ({ streams }: Command) =>
  streams.flatMap(({ events }) => events.map(({ type }) => type));

/** The tables that a command writes, without the entries of revocation and those of its streams. */
function sideTablesOf({ rows, streams: touched }: Command): string[] {
  const own = touched.map(({ kind }) => streams[kind as StreamKind].table.name);
  return Object.entries(rows)
    .filter(([table, list]) => table !== 'revocations' && !own.includes(table) && list!.length > 0)
    .map(([table]) => table);
}

async function done(answer: ReturnType<TestApi['call']>): Promise<void> {
  const { status, body } = await answer;
  expect(status, JSON.stringify(body)).toBeLessThan(300);
}

// Fails when a use case begins or stops to write a table with an event, and the page does not.
it('the rows beside a stream are those that docs/events.md names', async () => {
  const administrator = { token: (await api.admin()).access_token };
  const { email } = await api.register();
  const { device_token } = await api.logIn({ email });
  const bound = await boundSession(api);
  await done(provenRefresh(api, bound.device, bound.tokens.refresh_token));
  const { access_token: token } = await api.logIn({ email, fields: { device_token } });
  const wrong = { email, password: 'a wrong password', device_token };
  await api.call('POST', '/auth/login', { body: wrong });
  await done(api.call('PATCH', '/auth/me', { token, body: { name: 'Ada', username: 'ada' } }));
  const named = { email: anEmail(), password: testPassword, username: 'one.more' };
  await done(api.call('POST', '/auth/register', { body: named }));
  const passwords = { current_password: testPassword, new_password: 'a longer ordinary sentence' };
  await done(api.call('POST', '/auth/password', { token, body: passwords }));
  await enrolAndRemove(api);
  const dearer = await api.anotherNode({ PASSWORD_HASH_MEMORY_KIB: '16' });
  const { session } = await dearer.logIn({ email, password: passwords.new_password });
  const found = await findSession(api.node.cells.home.readers, session.id);
  const aMonthLater = { session: found!, now: Date.now() + 30 * 86_400_000 };
  expect(await expireSession(api.node, aMonthLater, byProgram('worker', 'worker'))).toBe(true);
  const roles = ['editor'];
  const user = { email: anEmail(), password: testPassword, roles };
  await done(api.call('POST', '/admin/users', { ...administrator, body: user }));
  await done(api.call('POST', '/admin/keys/rotate', { ...administrator, body: { now: true } }));
  const client = { ...administrator, body: { name: 'orders' } };
  await done(api.call('POST', '/admin/clients', client));
  await done(api.call('POST', '/admin/invites', { ...administrator, body: {} }));

  const unsaid = commands.flatMap((command) => {
    const named = eventsOf(command).flatMap((type) => Object(besideTheStream)[type] ?? []);
    const others = sideTablesOf(command).filter((table) => !named.includes(table));
    return others.map((table) => `${table} with ${eventsOf(command).join(', ')}`);
  });
  expect(unsaid).toEqual([]);
  const unwritten = said.flatMap(([type, tables]) => {
    const written = commands.filter((command) => eventsOf(command).includes(type));
    const seen = new Set(written.flatMap(sideTablesOf));
    return tables.filter((table) => !seen.has(table)).map((table) => `${type}: ${table}`);
  });
  expect(unwritten).toEqual([]);
});
