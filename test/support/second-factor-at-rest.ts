import { Authenticator } from './authenticator.ts';
import { type Call, expectStatus, type FaultNode } from './fault-node.ts';
import type { Secret } from './secret-search.ts';
import { served } from './served.ts';

interface Holder {
  readonly email: string;
  readonly password: string;
  /** Of a login just now. It is out of date afterwards: refresh. */
  readonly token: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Enrols an app, errs, and logs in with a recovery code; answers all that it was given. */
export async function useSecondFactor(
  node: FaultNode,
  { email, password, token, headers }: Holder,
): Promise<Secret[]> {
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
  await logIn(200, { challenge, recovery_code: codes[0] });
  const bare = codes.map((code) => code.replaceAll('-', ''));
  return [
    { name: 'secret of an app', bytes: app.bytes },
    { name: 'secret of an app in base32', bytes: Buffer.from(app.secret) },
    ...[...codes, ...bare].map((code) => ({ name: 'recovery code', bytes: Buffer.from(code) })),
  ];
}
