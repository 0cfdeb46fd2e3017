import { randomBytes, randomUUID } from 'node:crypto';
import { newDeviceKey } from './device-key.ts';
import type { Answer, FaultNode } from './fault-node.ts';
import type { Secret } from './secret-search.ts';

/**
 * Where the secret stands in the bytes of a refresh token, a device token and an invite. A bound
 * cookie has no prefix: eight bytes say until when, the others are its MAC.
 */
const secretIn: Readonly<Record<string, readonly [from: number, to: number]>> = {
  lkr: [23, 55],
  lkd: [17, 49],
  lki: [16, 48],
  '': [8, 40],
};

const fromPage = { origin: 'https://latchkey.test', 'sec-fetch-site': 'same-origin' };

/** People who use a service in every way that has a secret in it, and what they were given. */
export class SecretHolders {
  readonly #service: FaultNode;
  readonly secrets: Secret[] = [];
  /** The newest refresh token of each session that may still be live. */
  readonly refreshTokens = new Map<string, string>();
  logins = 0;

  constructor(service: FaultNode) {
    this.#service = service;
  }

  keep(name: string, bytes: Uint8Array | string): void {
    this.secrets.push({ name, bytes: Buffer.from(bytes) });
  }

  /** Registers somebody with a password of their own, by mail; answers how they log in. */
  async register(): Promise<{ email: string; password: string }> {
    const account = {
      email: `${randomBytes(6).toString('hex')}@example.com`,
      password: this.newPassword(),
    };
    const headers = { 'idempotency-key': this.#newKey() };
    await this.ask(202, 'POST', '/auth/register', { body: account, headers });
    return account;
  }

  async logIn(account: { email: string; password: string }, fields: object): Promise<string> {
    const body = { ...account, ...fields };
    const { body: tokens, headers } = await this.ask(200, 'POST', '/auth/login', {
      body,
      headers: fromPage,
    });
    this.logins += 1;
    this.keepTokens(tokens, headers);
    return tokens.access_token;
  }

  /** Logs in with a browser that binds the session to a key; answers its bound cookie. */
  async bindBrowser(account: { email: string; password: string }): Promise<string> {
    const body = { ...account, device: { type: 'web' }, transport: 'cookie' };
    const answer = await this.ask(200, 'POST', '/auth/login', { body, headers: fromPage });
    this.keepTokens(answer.body, answer.headers);
    const offer = answer.headers.get('secure-session-registration') ?? '';
    const challenge = /;challenge="([^"]+)"$/.exec(offer)![1]!;
    const cookie = cookiesOf(answer.headers)
      .map(([name, value]) => `${name}=${value}`)
      .join('; ');
    const proof = newDeviceKey().registrationProof(challenge);
    const { headers } = await this.ask(200, 'POST', '/auth/dbsc/register', {
      headers: { ...fromPage, cookie, 'secure-session-response': proof },
    });
    const [[, bound] = []] = cookiesOf(headers);
    this.#keepPart(kindOf(bound!), bound!);
    return bound!;
  }

  async refreshAll(): Promise<void> {
    for (const [sessionId, refresh_token] of [...this.refreshTokens]) {
      const headers = { 'idempotency-key': this.#newKey() };
      const body = { refresh_token };
      const answer = await this.#send('POST', '/auth/refresh', { body, headers });
      if (answer.status === 200) this.keepTokens(answer.body, answer.headers);
      else this.refreshTokens.delete(sessionId);
    }
  }

  async changePassword(account: { email: string; password: string }): Promise<void> {
    const token = await this.logIn(account, { device: { type: 'service' } });
    const new_password = this.newPassword();
    const body = { current_password: account.password, new_password };
    // A repeat of one that was committed finds its session ended.
    await this.#send('POST', '/auth/password', { token, body });
  }

  /** What an administrator is shown once: secrets of clients, codes of invites. */
  async administer(token: string): Promise<void> {
    const call = (path: string, body?: object) =>
      this.#send('POST', path, { token, ...(body === undefined ? {} : { body }) });
    const { body: client } = await call('/admin/clients', { name: 'shop', first_party: true });
    const { body: renewed } = await call(`/admin/clients/${client.client_id}/secret`);
    for (const { client_secret } of [client, renewed]) this.keep('a client secret', client_secret);
    const { body: invited } = await call('/admin/invites', {});
    this.#keepPart('an invite', invited.invite);
    for (let rotation = 0; rotation < 2; rotation += 1) {
      await call('/admin/keys/rotate', { now: true });
    }
  }

  #newKey(): string {
    const key = randomUUID();
    this.keep('an idempotency key', key);
    return key;
  }

  newPassword(): string {
    const password = randomBytes(24).toString('base64');
    this.keep('a password', password);
    return password;
  }

  // biome-ignore lint/suspicious/noExplicitAny: what the process answers
  keepTokens(tokens: any, headers: Headers): void {
    const cookies = cookiesOf(headers).map(([, value]) => value);
    const texts = [tokens.refresh_token, tokens.device_token, ...cookies].filter(Boolean);
    for (const text of texts) {
      if (text.startsWith('lkr_')) this.refreshTokens.set(tokens.session.id, text);
      this.#keepPart(kindOf(text), text);
    }
    const signature = tokens.access_token.split('.')[2];
    this.keep('an access token', Buffer.from(signature, 'base64url'));
  }

  #keepPart(name: string, token: string): void {
    this.keep(name, secretOf(token));
  }

  async ask(status: number, ...call: Parameters<FaultNode['call']>): Promise<Answer> {
    const answer = await this.#send(...call);
    if (answer.status === status) return answer;
    throw new Error(`${call[1]}: ${answer.status} ${JSON.stringify(answer.body)}`);
  }

  /** Again while the machine is too busy, or when a connection had been idle too long. */
  async #send(...call: Parameters<FaultNode['call']>): Promise<Answer> {
    for (let tries = 1; ; tries += 1) {
      const answer = await this.#service.call(...call).catch((error: unknown) => {
        if (tries === 5) throw error;
        return null;
      });
      if (answer !== null && answer.status !== 503) return answer;
    }
  }
}

function kindOf(token: string): string {
  if (token.startsWith('lkr_')) return 'a refresh token';
  return token.startsWith('lkd_') ? 'a device token' : 'a bound cookie';
}

/** The 32 bytes of a token or cookie that nobody can guess. */
export function secretOf(token: string): Buffer {
  const prefix = /^(?:lkr_[0-9a-f]+_|lkd_|lki_)/.exec(token)?.[0] ?? '';
  return Buffer.from(token.slice(prefix.length), 'base64url').subarray(
    ...secretIn[prefix.slice(0, 3)]!,
  );
}

function cookiesOf(headers: Headers): [name: string, value: string][] {
  return headers.getSetCookie().flatMap((cookie) => {
    const [, name, value] = /^([^=]+)=([^;]+)/.exec(cookie) ?? [];
    return name === undefined || value === undefined ? [] : [[name, value]];
  });
}
