import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { slotOf } from '../../src/domain/kernel/ids.ts';
import type { Command } from '../../src/eventlog/command.ts';
import { mayCrossSlots } from '../../src/eventlog/one-slot.ts';
import { anEmail, startTestApi, type TestApi, testPassword } from '../support/api.ts';
import { recordSentCommands } from '../support/sent-commands.ts';

let api: TestApi;
let token: string;
/** Every command of this API since the last test began. */
let commands: Command[];

beforeAll(async () => {
  commands = recordSentCommands();
  api = await startTestApi({ REGISTRATION: 'invite' });
  token = (await api.admin()).access_token;
});
afterAll(async () => {
  vi.restoreAllMocks();
  await api.stop();
});

/** What the commands of `work` that touched several slots were made of. */
async function crossing(work: () => Promise<unknown>): Promise<string[]> {
  commands.length = 0;
  await work();
  expect(commands).not.toHaveLength(0);
  return commands
    .filter(({ streams }) => new Set(streams.map(({ streamId }) => slotOf(streamId))).size > 1)
    .map(({ streams }) => streams.map(nameOf).join(', '));
}

function nameOf(touch: Command['streams'][number]): string {
  for (const [name, isIt] of Object.entries(mayCrossSlots)) if (isIt(touch)) return name;
  return touch.events.map(({ type }) => type).join('+') || touch.kind;
}

async function ok(answer: ReturnType<TestApi['call']>) {
  const { status, body } = await answer;
  expect(status, JSON.stringify(body)).toBeLessThan(300);
  return body;
}

const administer = (method: string, path: string, body?: object) =>
  ok(api.call(method, path, { token, ...(body === undefined ? {} : { body }) }));

/** A user in any slot but that of the guard and the invites: one in 4,096 would show nothing. */
async function newUser(roles: readonly string[] = []): Promise<{ id: string; email: string }> {
  for (;;) {
    const email = anEmail();
    const { user } = await administer('POST', '/admin/users', {
      email,
      password: testPassword,
      roles,
    });
    if (slotOf(user.id) !== 0) return { id: user.id, email };
  }
}

describe('the commands that cross slots', () => {
  it('are registrations that an invite pays for', async () => {
    const crossed = await crossing(async () => {
      const { invite } = await administer('POST', '/admin/invites', {});
      const body = { email: anEmail(), password: testPassword, invite };
      await ok(api.call('POST', '/auth/register', { body }));
    });
    expect(crossed).toStrictEqual(['UserRegistered, invite']);
  });

  it('are those that take an administrator away', async () => {
    const [demoted, disabled] = [await newUser(['latchkey:admin']), await newUser()];
    const erased = await newUser(['latchkey:admin']);
    const crossed = await crossing(async () => {
      await administer('DELETE', `/admin/users/${demoted.id}/roles/latchkey:admin`);
      await administer('PUT', `/admin/users/${disabled.id}/roles/latchkey:admin`);
      await api.logIn({ email: disabled.email });
      await administer('POST', `/admin/users/${disabled.id}/disable`);
      await api.logIn({ email: erased.email });
      await administer('DELETE', `/admin/users/${erased.id}`);
    });
    expect(crossed).toStrictEqual([
      'RoleRevoked, administratorsGuard',
      'UserDisabled, administratorsGuard, SessionRevoked',
      'SubjectErased, administratorsGuard, SessionRevoked',
    ]);
  });
});

describe('the commands that keep to one slot', () => {
  // Fails when a session, or what a login remembers, is put into another slot than its user.
  it('are all of a user', async () => {
    const { id, email } = await newUser();
    const crossed = await crossing(async () => {
      await api.call('POST', '/auth/login', { body: { email, password: 'a wrong password' } });
      const first = await api.logIn({ email });
      expect(slotOf(first.session.id)).toBe(slotOf(id));
      const second = await api.logIn({ email });
      const { body } = await api.refresh(second.refresh_token);
      await api.refresh(first.refresh_token);
      const own = { token: body.access_token as string };
      await ok(api.call('PATCH', '/auth/me', { ...own, body: { name: 'Ada' } }));
      await api.logIn({ email, device: 'mobile' });
      const newPassword = 'another long and ordinary one';
      const passwords = { current_password: testPassword, new_password: newPassword };
      await ok(api.call('POST', '/auth/password', { ...own, body: passwords }));
      const third = await api.logIn({ email, password: newPassword });
      await ok(api.call('POST', '/auth/logout-all', { token: third.access_token }));
    });
    expect(crossed).toStrictEqual([]);
  });

  it('are all others of an administrator', async () => {
    const { id } = await newUser();
    const crossed = await crossing(async () => {
      await administer('PUT', `/admin/users/${id}/roles/editor`);
      await administer('DELETE', `/admin/users/${id}/roles/editor`);
      await administer('POST', `/admin/users/${id}/disable`);
      await administer('POST', `/admin/users/${id}/enable`);
      await administer('DELETE', `/admin/users/${id}`);
      await administer('POST', '/admin/keys/rotate', { now: true });
      const { client_id } = await administer('POST', '/admin/clients', {
        name: 'orders',
        kind: 'confidential',
        audiences: ['orders'],
        scopes: [],
      });
      await administer('POST', `/admin/clients/${client_id}/secret`);
      await administer('DELETE', `/admin/clients/${client_id}`);
    });
    expect(crossed).toStrictEqual([]);
  });
});
