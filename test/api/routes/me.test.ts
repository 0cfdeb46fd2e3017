import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApi, type TestApi } from '../../support/api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
});
afterAll(() => api.stop());

async function someone() {
  const { email, id } = await api.register();
  const { access_token: token, session } = await api.logIn({ email, device: 'mobile' });
  return { email, id, token, session };
}

describe('GET /auth/me', () => {
  it('answers the user and the session of the token', async () => {
    const { email, id, token, session } = await someone();
    const { status, body } = await api.call('GET', '/auth/me', { token });
    expect(status).toBe(200);
    expect(body.user).toMatchObject({ id, email, roles: [], disabled: false });
    expect(body.session).toMatchObject({ id: session.id, current: true });
  });

  it('answers the same below /api', async () => {
    const { token, id } = await someone();
    const { body } = await api.call('GET', '/api/auth/me', { token });
    expect(body.user.id).toBe(id);
  });

  it('asks for a token, and does not say that one was wrong when none was sent', async () => {
    const { status, body, headers } = await api.call('GET', '/auth/me');
    expect([status, body.code]).toEqual([401, 'invalid_token']);
    expect(headers.get('www-authenticate')).not.toContain('error=');
  });
});

describe('PATCH /auth/me', () => {
  it('changes what is given, keeps the rest, and null clears', async () => {
    const { token, id } = await someone();
    const patch = (body: object) => api.call('PATCH', '/auth/me', { token, body });
    await patch({ name: 'Ada', phone_number: '+44 20 7946 0000' });
    await patch({ picture: 'https://pictures.example/ada.png' });
    const { body } = await patch({ phone_number: null });
    expect(body.user).toMatchObject({ name: 'Ada', picture: 'https://pictures.example/ada.png' });
    expect(body.user).not.toHaveProperty('phone_number');
    const types = (await api.eventsOf(id)).map(({ type }) => type);
    expect(types).toEqual(['UserRegistered', 'ProfileChanged', 'ProfileChanged', 'ProfileChanged']);
  });

  it('keeps the profile out of the log in the clear', async () => {
    const { token, id } = await someone();
    await api.call('PATCH', '/auth/me', { token, body: { name: 'Grace Hopper' } });
    const changed = (await api.eventsOf(id)).at(-1)!;
    expect(Object.keys(changed.data)).toEqual(['at']);
    expect(Buffer.from(changed.pii!).includes('Grace')).toBe(false);
  });

  it('writes nothing when nothing changes', async () => {
    const { token, id } = await someone();
    const body = { name: 'Ada' };
    await api.call('PATCH', '/auth/me', { token, body });
    const again = await api.call('PATCH', '/auth/me', { token, body });
    expect(again.body.user.name).toBe('Ada');
    expect(await api.eventsOf(id)).toHaveLength(2);
  });

  it.each([
    ['an unknown field', { email: 'other@example.com' }, 'email'],
    ['an empty name', { name: '' }, 'name'],
    ['a name of 201 characters', { name: 'x'.repeat(201) }, 'name'],
    ['a picture that is a script', { picture: 'javascript:alert(1)' }, 'picture'],
    ['a number for a name', { name: 7 }, 'name'],
  ])('refuses %s and names the field', async (_, body, path) => {
    const { token } = await someone();
    const answer = await api.call('PATCH', '/auth/me', { token, body });
    expect([answer.status, answer.body.code]).toEqual([400, 'invalid_request']);
    expect(answer.body.errors[0].path).toBe(path);
  });
});
