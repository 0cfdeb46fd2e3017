import { randomBytes, randomUUID } from 'node:crypto';
import type { Answer, FaultNode } from './fault-node.ts';
import type { Secret } from './secret-search.ts';

/** Where the secret stands in the bytes of a refresh token, a device token and an invite. */
const secretIn = { lkr: [23, 55], lkd: [17, 49], lki: [16, 48] } as const;

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

  /** Registers somebody with a password of their own; answers how they log in. */
  async register(): Promise<{ email: string; password: string }> {
    const account = {
      email: `${randomBytes(6).toString('hex')}@example.com`,
      password: this.#newPassword(),
    };
    const headers = { 'idempotency-key': this.#newKey() };
    await this.#ask(201, 'POST', '/auth/register', { body: account, headers });
    return account;
  }

  async logIn(account: { email: string; password: string }, fields: object): Promise<string> {
    const body = { ...account, ...fields };
    const { body: tokens, headers } = await this.#ask(200, 'POST', '/auth/login', {
      body,
      headers: { origin: 'http://latchkey.test', 'sec-fetch-site': 'same-origin' },
    });
    this.logins += 1;
    this.#keepTokens(tokens, headers);
    return tokens.access_token;
  }

  async refreshAll(): Promise<void> {
    for (const [sessionId, refresh_token] of [...this.refreshTokens]) {
      const headers = { 'idempotency-key': this.#newKey() };
      const body = { refresh_token };
      const answer = await this.#send('POST', '/auth/refresh', { body, headers });
      if (answer.status === 200) this.#keepTokens(answer.body, answer.headers);
      else this.refreshTokens.delete(sessionId);
    }
  }

  async changePassword(account: { email: string; password: string }): Promise<void> {
    const token = await this.logIn(account, { device: { type: 'service' } });
    const new_password = this.#newPassword();
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
    for (let rotation = 0; rotation < 2; rotation += 1) await call('/admin/keys/rotate');
  }

  #newKey(): string {
    const key = randomUUID();
    this.keep('an idempotency key', key);
    return key;
  }

  #newPassword(): string {
    const password = randomBytes(24).toString('base64');
    this.keep('a password', password);
    return password;
  }

  // biome-ignore lint/suspicious/noExplicitAny: what the process answers
  #keepTokens(tokens: any, headers: Headers): void {
    const cookies = headers.getSetCookie().map((cookie) => /=([^;]*)/.exec(cookie)?.[1] ?? '');
    const texts = [tokens.refresh_token, tokens.device_token, ...cookies].filter(Boolean);
    for (const text of texts) {
      if (text.startsWith('lkr_')) this.refreshTokens.set(tokens.session.id, text);
      this.#keepPart(text.startsWith('lkr_') ? 'a refresh token' : 'a device token', text);
    }
    const signature = tokens.access_token.split('.')[2];
    this.keep('an access token', Buffer.from(signature, 'base64url'));
  }

  #keepPart(name: string, token: string): void {
    this.keep(name, secretOf(token));
  }

  async #ask(status: number, ...call: Parameters<FaultNode['call']>): Promise<Answer> {
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

/** The 32 bytes of a token that nobody can guess. */
export function secretOf(token: string): Buffer {
  const [from, to] = secretIn[token.slice(0, 3) as keyof typeof secretIn];
  return Buffer.from(token.slice(token.lastIndexOf('_', 8) + 1), 'base64url').subarray(from, to);
}
