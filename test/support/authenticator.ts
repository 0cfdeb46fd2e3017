import { createHmac } from 'node:crypto';
import { expect } from 'vitest';
import { type Answer, startTestApi, type TestApi } from './api.ts';

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** An authenticator app of its own, which shares no code with the service (RFC 6238). */
export class Authenticator {
  /** In base32, as it was given. */
  readonly secret: string;
  readonly bytes: Buffer;
  readonly #now: () => number;

  /** `secret`: base32, as a person types it in. */
  constructor(secret: string, now: () => number = Date.now) {
    this.secret = secret;
    this.#now = now;
    const bits = [...secret].map((char) => alphabet.indexOf(char).toString(2).padStart(5, '0'));
    const bytes = bits.join('').match(/.{8}/g) ?? [];
    this.bytes = Buffer.from(bytes.map((byte) => Number.parseInt(byte, 2)));
  }

  /** The code of this half minute, or of one `ahead` of it. */
  code(ahead = 0): string {
    const counter = Buffer.alloc(8);
    counter.writeBigUInt64BE(BigInt(Math.floor(this.#now() / 30_000) + ahead));
    const mac = createHmac('sha1', this.bytes).update(counter).digest();
    const truncated = mac.readUInt32BE(mac.at(-1)! & 0xf) & 0x7fffffff;
    return String(truncated % 1_000_000).padStart(6, '0');
  }

  /** A code that is right in none of the half minutes around. */
  wrongCode(): string {
    const near = [-2, -1, 0, 1, 2].map((ahead) => this.code(ahead));
    return ['000000', '111111', '222222', '333333', '444444', '555555'].find(
      (code) => !near.includes(code),
    )!;
  }
}

/** Somebody who has confirmed an authenticator app by the code of this half minute. */
export interface TwoFactorUser {
  readonly id: string;
  readonly email: string;
  readonly app: Authenticator;
  readonly recoveryCodes: readonly string[];
  /** Of the session that has confirmed it, which lives on; its access token is stale. */
  readonly refreshToken: string;
  readonly sessionId: string;
}

/** Enrols with this access token; answers the app, which is not confirmed yet. */
export async function enrol(api: TestApi, token: string, body: object = {}) {
  const { status, body: answer } = await api.call('POST', '/auth/totp/enrol', { token, body });
  expect(status, JSON.stringify(answer)).toBe(200);
  return new Authenticator(answer.secret, () => api.node.now());
}

/** A new user with a second factor. */
export async function twoFactorUser(api: TestApi, device = 'service'): Promise<TwoFactorUser> {
  const { id, email } = await api.register();
  const fields = { audience: api.node.config.tokens.issuer };
  const tokens = await api.logIn({ email, device, fields });
  const app = await enrol(api, tokens.access_token);
  const body = { totp: app.code() };
  const confirmed = await api.call('POST', '/auth/totp/confirm', {
    token: tokens.access_token,
    body,
  });
  expect(confirmed.status, JSON.stringify(confirmed.body)).toBe(200);
  return {
    id,
    email,
    app,
    recoveryCodes: confirmed.body.recovery_codes,
    refreshToken: tokens.refresh_token,
    sessionId: tokens.session.id,
  };
}

/** What the first factor is answered; it must be `mfa_required`. */
export async function challengeOf(api: TestApi, body: object): Promise<string> {
  const answer = await api.call('POST', '/auth/login', { body });
  expect(answer.status, JSON.stringify(answer.body)).toBe(401);
  expect(answer.body.code).toBe('mfa_required');
  return answer.body.challenge;
}

/** The second step of a login. */
export function complete(api: TestApi, body: object): Promise<Answer> {
  return api.call('POST', '/auth/login', { body });
}

/**
 * The clock of these nodes, stopped in the middle of a half minute that is just past, so that no
 * code changes while it is on its way. Codes are those of this clock.
 */
export class StoppedClock {
  #now: number;

  constructor(...nodes: readonly TestApi[]) {
    this.#now = Math.floor(Date.now() / 30_000) * 30_000 - 105_000;
    for (const { node } of nodes) Object.assign(node, { now: () => this.#now });
  }

  get now(): number {
    return this.#now;
  }

  advance(seconds = 30): void {
    this.#now += seconds * 1000;
  }
}

/** An API whose clock stands still, without the floor: each login in it is recent. */
export async function startStoppedApi(env: Record<string, string> = {}) {
  const lately = { LOGIN_FLOOR_MS: '0', RECENT_AUTHENTICATION_SECONDS: '3600' };
  const api = await startTestApi({ ...lately, ...env });
  const typesOf = async (id: string) => (await api.eventsOf(id)).map(({ type }) => type);
  return { api, clock: new StoppedClock(api), typesOf };
}

export type StoppedApi = Awaited<ReturnType<typeof startStoppedApi>>;

/** Somebody who has confirmed an app, replaced it by another one, and removed that. */
export async function enrolAndRemove(api: TestApi): Promise<void> {
  const user = await twoFactorUser(api, 'web');
  let refreshToken = user.refreshToken;
  const call = async (method: string, path: string, body: object) => {
    const { body: tokens } = await api.refresh(refreshToken);
    refreshToken = tokens.refresh_token;
    const answer = await api.call(method, path, { token: tokens.access_token, body });
    expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(300);
    return answer.body;
  };
  const [first, second] = user.recoveryCodes;
  const { secret } = await call('POST', '/auth/totp/enrol', { recovery_code: first });
  const app = new Authenticator(secret, () => api.node.now());
  const codes = await call('POST', '/auth/totp/confirm', { totp: app.code() });
  expect(codes.recovery_codes).not.toContain(second);
  await call('DELETE', '/auth/totp', { recovery_code: codes.recovery_codes[0] });
}
