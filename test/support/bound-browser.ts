import type { Answer, TestApi } from './api.ts';
import { testPassword } from './api.ts';
import { newDeviceKey, type TestDeviceKey } from './device-key.ts';

const refreshCookieName = '__Host-latchkey_refresh';
const boundCookieName = '__Host-latchkey_bound';

/**
 * A browser with device-bound session credentials as Chromium 156 speaks them, real signatures
 * included, and a page of the issuer. It keeps cookies, but does nothing by itself: the test says
 * when.
 */
export class BoundBrowser {
  readonly cookies = new Map<string, string>();
  readonly key: TestDeviceKey;
  /** The session identifier that it was given. */
  identifier: string | null = null;
  sessionId = '';
  /** That of the login, and the newest one for a refresh. */
  registrationChallenge: string | null = null;
  challenge: string | null = null;
  readonly #api: TestApi;

  constructor(api: TestApi, key = newDeviceKey()) {
    this.#api = api;
    this.key = key;
  }

  get refreshToken(): string {
    return this.cookies.get(refreshCookieName)!;
  }

  async logIn(email: string, device = 'web'): Promise<Answer> {
    const answer = await this.#send('/auth/login', {
      email,
      password: testPassword,
      transport: 'cookie',
      device: { type: device },
    });
    this.sessionId = answer.body.session?.id ?? '';
    const offer = answer.headers.get('secure-session-registration');
    this.registrationChallenge = /;challenge="([^"]+)"$/.exec(offer ?? '')?.[1] ?? null;
    return answer;
  }

  /** Logs in, registers the key, and refreshes once: from then on the session is bound. */
  async bind(email: string, device?: string): Promise<void> {
    await this.logIn(email, device);
    await this.register();
    await this.refresh();
  }

  async register(proof = this.key.registrationProof(this.registrationChallenge!)): Promise<Answer> {
    const headers = { 'secure-session-response': proof };
    const answer = await this.#send('/auth/dbsc/register', undefined, headers);
    if (answer.status === 200) this.identifier = answer.body.session_identifier;
    return answer;
  }

  /** One request for a bound cookie; without `proof` it asks for a challenge. */
  async askForCookie(proof: string | null = null): Promise<Answer> {
    return this.#send('/auth/dbsc/refresh', undefined, {
      'sec-secure-session-id': this.identifier ?? `latchkey-${this.sessionId}`,
      ...(proof === null ? {} : { 'secure-session-response': proof }),
    });
  }

  /** What the browser does when the bound cookie is gone: signs, and again after a challenge. */
  async proveKey(): Promise<Answer> {
    const first = await this.askForCookie(this.#proof());
    return first.status === 403 ? this.askForCookie(this.#proof()) : first;
  }

  async refresh(headers: Record<string, string> = {}): Promise<Answer> {
    return this.#send('/auth/refresh', {}, headers);
  }

  async logOut(): Promise<Answer> {
    return this.#send('/auth/logout', {});
  }

  /** The bound cookie has expired: a browser that obeys Max-Age sends it no more. */
  forgetBoundCookie(): void {
    this.cookies.delete(boundCookieName);
  }

  /** Another browser that has all cookies of this one, and not its key. */
  stolen(): BoundBrowser {
    const thief = new BoundBrowser(this.#api);
    for (const [name, value] of this.cookies) thief.cookies.set(name, value);
    thief.identifier = this.identifier;
    thief.sessionId = this.sessionId;
    return thief;
  }

  #proof(): string | null {
    return this.challenge === null ? null : this.key.refreshProof(this.challenge);
  }

  async #send(
    path: string,
    body: object | undefined,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const cookie = [...this.cookies].map((pair) => pair.join('=')).join('; ');
    const answer = await this.#api.call('POST', path, {
      ...(body === undefined ? {} : { body }),
      headers: {
        'sec-fetch-site': 'same-origin',
        origin: new URL(this.#api.node.config.tokens.issuer).origin,
        ...(cookie === '' ? {} : { cookie }),
        ...headers,
      },
    });
    for (const line of answer.headers.getSetCookie()) this.#keep(line);
    const challenge = answer.headers.get('secure-session-challenge');
    if (challenge !== null) this.challenge = /^"([^"]+)"/.exec(challenge)?.[1] ?? null;
    return answer;
  }

  #keep(line: string): void {
    const [pair = '', ...attributes] = line.split('; ');
    const equals = pair.indexOf('=');
    const name = pair.slice(0, equals);
    if (attributes.includes('Max-Age=0')) this.cookies.delete(name);
    else this.cookies.set(name, pair.slice(equals + 1));
  }
}
