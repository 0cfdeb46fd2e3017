import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Queryable } from '../../../src/eventlog/queryable.ts';
import { startTestApi, type TestApi, testPassword } from '../../support/api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
});
afterAll(() => api.stop());

/** Runs `meanwhile` once, before the named statement reaches the database: as if that read had been slow. */
function delayOnce(node: TestApi, statement: string, meanwhile: () => Promise<unknown>) {
  const services = node.services as { readers: Queryable };
  const { readers } = services;
  let pending: (() => Promise<unknown>) | null = meanwhile;
  services.readers = {
    query: async (query) => {
      const work = query.name === statement ? pending : null;
      if (work !== null) {
        pending = null;
        await work();
      }
      return readers.query(query);
    },
  };
}

// Fails when the sessions of the user are read beside the guard, or before it, instead of after it.
it('ends a session that began while the reads of another login were under way', async () => {
  const other = await api.anotherNode();
  for (const slow of ['find-user', 'find-live-sessions']) {
    const { email } = await api.register();
    let between: { refresh_token: string } | undefined;
    delayOnce(api, slow, async () => {
      between = await other.logIn({ email });
    });
    const last = await api.logIn({ email });
    expect((await api.refresh(last.refresh_token)).status).toBe(200);
    expect(await api.refresh(between!.refresh_token)).toMatchObject({
      status: 401,
      body: { code: 'session_superseded' },
    });
  }
});

it('ends with logout-all a session that began while its reads were under way, or leaves it whole', async () => {
  const other = await api.anotherNode();
  for (const slow of ['find-user', 'find-live-sessions']) {
    const { email } = await api.register();
    const first = await api.logIn({ email });
    let between: { refresh_token: string; access_token: string } | undefined;
    delayOnce(api, slow, async () => {
      between = await other.logIn({ email, device: 'mobile' });
    });
    const { body } = await api.call('POST', '/auth/logout-all', { token: first.access_token });
    const refreshed = await api.refresh(between!.refresh_token);
    expect([body.ended, refreshed.status]).toEqual([2, 401]);
  }
});

// Fails when the hash that was compared is not tied to the password of the moment of the decision, or when the
// conflict that this raises is shown to a stranger, who would learn from it that the user exists.
it('decides by the new password when it changes during the check', async () => {
  const other = await api.anotherNode();
  const { email } = await api.register();
  const { access_token: token } = await api.logIn({ email });
  const changed = 'another long and ordinary sentence';
  delayOnce(api, 'find-live-sessions', () =>
    other.call('POST', '/auth/password', {
      token,
      body: { current_password: testPassword, new_password: changed },
    }),
  );
  const answer = await api.call('POST', '/auth/login', { body: { email, password: testPassword } });
  expect(answer).toMatchObject({ status: 401, body: { code: 'invalid_credentials' } });
  expect(await api.logIn({ email, password: changed })).toBeDefined();
});
