import { Authenticator } from './authenticator.ts';
import { type Answer, type Call, expectStatus, type FaultNode } from './fault-node.ts';
import type { Secret } from './secret-search.ts';
import { served } from './served.ts';

interface Holder {
  readonly email: string;
  readonly password: string;
  /** Of a login just now. It is out of date afterwards: refresh. */
  readonly token: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Enrols an app, errs, and logs in with a recovery code; answers that login and every secret. */
export async function useSecondFactor(
  node: FaultNode,
  { email, password, token, headers = {} }: Holder,
): Promise<{ readonly secrets: Secret[]; readonly loggedIn: Answer }> {
  const post = (status: number, target: string, call: Call) =>
    expectStatus(
      status,
      served(() => node.call('POST', target, { headers, ...call })),
    );
  const logIn = (status: number, body: object) =>
    post(status, '/auth/login', { body: { ...body, device: { type: 'desktop' } } });
  const { body: enrolled } = await post(200, '/auth/totp/enrol', { token });
  const app = new Authenticator(enrolled.secret);
  const body = { totp: app.code() };
  const { body: confirmed } = await post(200, '/auth/totp/confirm', { token, body });
  const { challenge } = (await logIn(401, { email, password })).body;
  await logIn(401, { challenge, totp: app.wrongCode() });
  const codes = confirmed.recovery_codes as string[];
  const loggedIn = await logIn(200, { challenge, recovery_code: codes[0] });
  const bare = codes.map((code) => code.replaceAll('-', ''));
  const secrets = [
    { name: 'the secret of an app', bytes: app.bytes },
    { name: 'the secret of an app in base32', bytes: Buffer.from(app.secret) },
    { name: 'a login challenge', bytes: Buffer.from(challenge.slice(4), 'base64url') },
    ...[...codes, ...bare].map((code) => ({ name: 'a recovery code', bytes: Buffer.from(code) })),
  ];
  return { secrets, loggedIn };
}
