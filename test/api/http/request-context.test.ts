import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RecordedEvent } from '../../../src/eventlog/read.ts';
import { startTestApi, type TestApi, testPassword } from '../../support/api.ts';

const person = 'john.doe-1980-05-03';
const drawn = '4bf92f3577b34da6a3ce929d0e0e4736';
const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

let alone: TestApi;
let behindProxy: TestApi;
beforeAll(async () => {
  alone = await startTestApi();
  behindProxy = await startTestApi({ TRUSTED_PROXIES: '127.0.0.0/8' });
});
afterAll(async () => {
  await alone.stop();
  await behindProxy.stop();
});

/** Everything that a user can make the log keep, with the headers of its requests. */
async function eventsOf(api: TestApi, headers: Record<string, string>): Promise<RecordedEvent[]> {
  const { email, id } = await api.register();
  const sent = { ...headers, 'idempotency-key': person, 'user-agent': person };
  const login = { email, password: testPassword, device: { type: 'web', name: person } };
  await api.call('POST', '/auth/login', {
    body: { ...login, password: 'not the password of it' },
    headers: sent,
  });
  const { body } = await api.call('POST', '/auth/login', { body: login, headers: sent });
  await api.refresh(body.refresh_token, sent);
  const token = body.access_token;
  await api.call('PATCH', '/auth/me', { token, body: { name: person }, headers: sent });
  await api.call('POST', '/auth/logout', { token, headers: sent });
  return [...(await api.eventsOf(id)).slice(1), ...(await api.eventsOf(body.session.id))];
}

const readable = ({ meta, data }: RecordedEvent) => JSON.stringify({ meta, data });

describe('what a request leaves in the log for ever', () => {
  // Fails when a caller's X-Request-Id becomes the id in the meta of its events.
  it('C6: holds no text of the caller, whichever header it stands in', async () => {
    const headers = { 'x-request-id': person, 'x-correlation-id': person };
    for (const api of [alone, behindProxy]) {
      const events = await eventsOf(api, headers);
      expect(events.length).toBeGreaterThan(4);
      for (const event of events) {
        expect(readable(event)).not.toContain('john');
        expect(event.meta.request_id).toMatch(uuid);
        expect(event.meta.correlation_id).toBe(event.meta.request_id);
      }
    }
  });

  it('C6: takes a drawn id for correlation from a trusted proxy, and from no other', async () => {
    for (const header of ['x-request-id', 'x-correlation-id']) {
      for (const { meta } of await eventsOf(behindProxy, { [header]: drawn })) {
        expect(meta.correlation_id).toBe(drawn);
        expect(meta.request_id).toMatch(uuid);
      }
      for (const { meta } of await eventsOf(alone, { [header]: drawn })) {
        expect(meta.correlation_id).toBe(meta.request_id);
      }
    }
  });
});
