import { afterAll, beforeAll, expect, it } from 'vitest';
import { anEmail, startTestApi, type TestApi, testPassword } from '../../support/api.ts';
import { decidedTogether } from '../../support/held-streams.ts';

interface Administrator {
  readonly id: string;
  readonly token: string;
}

const acts = {
  role: ['DELETE', (id: string) => `/admin/users/${id}/roles/latchkey:admin`],
  disable: ['POST', (id: string) => `/admin/users/${id}/disable`],
  erase: ['DELETE', (id: string) => `/admin/users/${id}`],
} as const;
type Act = keyof typeof acts;

let api: TestApi;
let other: TestApi;
/** Of all rounds before, the one who is left. */
let left: Administrator;
beforeAll(async () => {
  api = await startTestApi();
  other = await api.anotherNode();
  const { access_token, user } = await api.admin();
  left = { id: user.id, token: access_token };
});
afterAll(() => api.stop());

async function another(): Promise<Administrator> {
  const body = { email: anEmail(), password: testPassword, roles: ['latchkey:admin'] };
  const made = await api.call('POST', '/admin/users', { token: left.token, body });
  const fields = { audience: api.node.config.tokens.issuer };
  const { access_token } = await other.logIn({ email: body.email, device: 'service', fields });
  return { id: made.body.user.id, token: access_token };
}

function take(node: TestApi, act: Act, { token }: Administrator, { id }: Administrator) {
  const [method, pathOf] = acts[act];
  return node.call(method, pathOf(id), { token });
}

const pairs = Object.keys(acts).flatMap((first, index) =>
  Object.keys(acts)
    .slice(index)
    .map((second) => [first, second] as [Act, Act]),
);

// Fails when one of these does not guard the administrators: each would count the other one.
it.each(pairs)(
  'of two who take each other out at once, by %s and %s, one stays',
  async (first, second) => {
    const [one, two] = [left, await another()];
    const answers = await decidedTogether(api.database, [one.id, two.id], () => [
      take(api, first, one, two),
      take(other, second, two, one),
    ]);
    expect(answers.map(({ status }) => status).toSorted()).toEqual([204, 409]);
    left = answers[0]!.status === 204 ? one : two;
    expect((await api.call('GET', '/admin/users', { token: left.token })).status).toBe(200);
    const alone = await take(api, first, left, left);
    expect(alone).toMatchObject({
      status: 409,
      body: { errors: [{ path: 'user', message: 'is the last administrator who can log in' }] },
    });
  },
);
