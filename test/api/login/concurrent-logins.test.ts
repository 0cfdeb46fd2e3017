import { afterAll, beforeAll, expect, it } from 'vitest';
import type { SealedReaders } from '../../../src/eventlog/record-seal.ts';
import { startTestApi, type TestApi, testPassword } from '../../support/api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
});
afterAll(() => api.stop());

type Slow = readonly [statement: string, moment: 'on the way there' | 'on the way back'];

/** Runs `meanwhile` once, while the question or the answer of the named statement is under way. */
function delayOnce(node: TestApi, [statement, moment]: Slow, meanwhile: () => Promise<unknown>) {
  const cell = node.node.cells.home as { readers: SealedReaders };
  const { readers } = cell;
  let pending: (() => Promise<unknown>) | null = meanwhile;
  cell.readers = {
    seal: readers.seal,
    query: async (query) => {
      const work = query.name === statement ? pending : null;
      if (work === null) return readers.query(query);
      pending = null;
      if (moment === 'on the way there') await work();
      const answer = await readers.query(query);
      if (moment === 'on the way back') await work();
      return answer;
    },
  };
}

const slowReads: Slow[] = [
  ['find-user', 'on the way there'],
  ['find-user', 'on the way back'],
  ['find-live-sessions', 'on the way there'],
  ['find-live-sessions', 'on the way back'],
];

// Fails when the sessions of the user are read beside the guard, or before it, instead of after it, and when the append
// does not compare the guard.
it('ends a session that began while the reads of another login were under way', async () => {
  const other = await api.anotherNode();
  for (const slow of slowReads) {
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
  for (const slow of slowReads) {
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
  delayOnce(api, ['find-live-sessions', 'on the way there'], () =>
    other.call('POST', '/auth/password', {
      token,
      body: { current_password: testPassword, new_password: changed },
    }),
  );
  const answer = await api.call('POST', '/auth/login', { body: { email, password: testPassword } });
  expect(answer).toMatchObject({ status: 401, body: { code: 'invalid_credentials' } });
  expect(await api.logIn({ email, password: changed })).toBeDefined();
});
