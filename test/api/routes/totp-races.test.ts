import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type TestApi, testPassword } from '../../support/api.ts';
import {
  challengeOf,
  complete,
  type StoppedApi,
  startStoppedApi,
  twoFactorUser,
} from '../../support/authenticator.ts';
import { served } from '../../support/served.ts';

let api: TestApi;
let clock: StoppedApi['clock'];
let typesOf: StoppedApi['typesOf'];
beforeAll(async () => {
  ({ api, clock, typesOf } = await startStoppedApi());
});
afterAll(() => api.stop());

describe('twenty requests at once over two nodes', () => {
  const twenty = <T>(work: (node: TestApi) => Promise<T>, other: TestApi) =>
    Promise.all(Array.from({ length: 20 }, (_, index) => work(index % 2 === 0 ? api : other)));
  /** A busy machine may answer one 503 and commit it; it is asked again, and refused. */
  let wasBusy = false;
  const asked = (ask: () => ReturnType<typeof complete>) =>
    served(ask, () => {
      wasBusy = true;
    });
  const expectOneWon = (answers: readonly { status: number }[]) => {
    const won = answers.filter(({ status }) => status === 200).length;
    expect(won).toBeLessThanOrEqual(1);
    if (!wasBusy) expect(won).toBe(1);
  };
  const countOf = async (id: string, type: string) =>
    (await typesOf(id)).filter((each) => each === type).length;
  let other: TestApi;
  beforeAll(async () => {
    other = await api.anotherNode();
    Object.assign(other.node, { now: () => clock.now });
  });

  // Fails when the step is remembered by the process, or the user's version is not compared.
  it('with one code are one login, each with a challenge of its own', async () => {
    const { id, email, app } = await twoFactorUser(api);
    const challenges: string[] = [];
    while (challenges.length < 20) {
      challenges.push(await challengeOf(api, { email, password: testPassword }));
    }
    const totp = app.code(1);
    const answers = await twenty((node) => {
      const challenge = challenges.pop();
      return asked(() => complete(node, { challenge, totp }));
    }, other);
    expectOneWon(answers);
    expect(await countOf(id, 'FactorAccepted')).toBe(1);
  });

  it('with one recovery code are one login', async () => {
    const { id, email, recoveryCodes } = await twoFactorUser(api);
    const challenge = await challengeOf(api, { email, password: testPassword });
    const body = { challenge, recovery_code: recoveryCodes[0] };
    const answers = await twenty((node) => asked(() => complete(node, body)), other);
    expectOneWon(answers);
    expect(await countOf(id, 'RecoveryCodeUsed')).toBe(1);
  });

  it('with one challenge and ten codes are one login', async () => {
    const { id, email, recoveryCodes } = await twoFactorUser(api);
    const challenge = await challengeOf(api, { email, password: testPassword });
    const codes = [...recoveryCodes, ...recoveryCodes];
    const answers = await twenty((node) => {
      const recovery_code = codes.pop();
      return asked(() => complete(node, { challenge, recovery_code }));
    }, other);
    expectOneWon(answers);
    expect(await countOf(id, 'RecoveryCodeUsed')).toBe(1);
  });
});
