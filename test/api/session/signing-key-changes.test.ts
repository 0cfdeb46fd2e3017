import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { generateSigningKey, importSigningKey } from '../../../src/node/signing-keys.ts';
import { startTestApi, type TestApi } from '../../support/api.ts';
import { kidOf } from './session-key-world.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
});
afterAll(() => api.stop());

// Fails when the key that was found before the append signs: everybody refuses it by then.
it('a key that is revoked while a login is written does not sign its token', async () => {
  const { email } = await api.register();
  const { signingKey } = api.node.memory;
  const revoked = signingKey.get();
  const made = await generateSigningKey('ES256');
  const next = importSigningKey(made.kid, 'ES256', made.privateJwk);
  vi.spyOn(signingKey, 'get').mockImplementationOnce(() => {
    signingKey.replace(next);
    return revoked;
  });
  const { access_token: token } = await api.logIn({ email });
  expect(kidOf(token)).toBe(next.kid);
});
