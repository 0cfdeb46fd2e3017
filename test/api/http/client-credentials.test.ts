import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApi, type TestApi } from '../../support/api.ts';

let api: TestApi;
let open: string;
let confidential: { id: string; secret: string };
beforeAll(async () => {
  api = await startTestApi();
  const token = (await api.admin()).access_token;
  const register = async (kind: string) =>
    (await api.call('POST', '/admin/clients', { token, body: { name: kind, kind } })).body;
  open = (await register('public')).client_id;
  const { client_id, client_secret } = await register('confidential');
  confidential = { id: client_id, secret: client_secret };
});
afterAll(() => api.stop());

const revoke = (form: Record<string, string>, authorization?: string) =>
  api.call('POST', '/oauth2/revoke', {
    form,
    headers: authorization === undefined ? {} : { authorization },
  });
const basic = (id: string, secret: string) =>
  `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`;

describe('client authentication', () => {
  // Fails when an empty password is a secret that a public client must not have.
  it('C12: of a public client may be Basic with an empty password (RFC 6749 2.3.1)', async () => {
    expect((await revoke({ token: 'x' }, basic(open, ''))).status).toBe(200);
    expect((await revoke({ token: 'x' }, basic(open, 'a secret'))).status).toBe(401);
    expect((await revoke({ token: 'x' }, basic(confidential.id, ''))).status).toBe(401);
  });

  // Fails when any Authorization header is taken for a try at Basic.
  it.each(['Bearer a.b.c', 'Bearer', 'Bearer undefined', 'DPoP x'])(
    'C12: in the form counts beside %s, which is none',
    async (authorization) => {
      const { id, secret } = confidential;
      const good = { token: 'x', client_id: id, client_secret: secret };
      for (const path of ['/oauth2/revoke', '/oauth2/introspect']) {
        const send = (form: Record<string, string>) =>
          api.call('POST', path, { form, headers: { authorization } });
        expect((await send(good)).status).toBe(200);
        expect((await send({ ...good, client_secret: 'wrong' })).status).toBe(401);
        const absent = await send({ token: 'x' });
        expect(absent).toMatchObject({ status: 401, body: { error: 'invalid_client' } });
        expect(absent.headers.get('www-authenticate')).toMatch(/^Basic /);
      }
    },
  );

  it('D4: comes before the token, whose absence is told in one wording', async () => {
    const { id, secret } = confidential;
    const bodies = [];
    for (const path of ['/oauth2/revoke', '/oauth2/introspect']) {
      const answer = await api.call('POST', path, {
        form: { x: 'y' },
        headers: { authorization: basic(id, secret) },
      });
      expect(answer.status).toBe(400);
      bodies.push(answer.body);
    }
    expect(bodies[0]).toEqual(bodies[1]);
    expect(bodies[0]).toEqual({
      error: 'invalid_request',
      error_description: 'token: is required',
    });
  });
});
