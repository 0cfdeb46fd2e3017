import { setTimeout as sleep } from 'node:timers/promises';
import {
  expectStatus,
  type FaultNode,
  faultPassword,
  registerUser,
} from '../support/fault-node.ts';

/** Closer to its end a token may expire between the choice and the check. */
const expiryMarginMs = 500;
/** A logout reaches every node within this. */
const logoutReachMs = 250;
const refreshesPerSession = 6;

interface HeldToken {
  readonly text: string;
  readonly kid: string;
  readonly expiresAt: number;
  /** When the logout was answered, epoch milliseconds; null: never. */
  endedAt: number | null;
}

export interface Verifier {
  readonly name: string;
  readonly accepts: (token: string) => Promise<boolean>;
  /** Whether it hears of logouts: otherwise it is asked about live sessions only. */
  readonly hearsOfLogouts: boolean;
}

/** What the checks of one verifier came to. */
export interface Checks {
  valid: number;
  /** Of `valid`, those of a key that signed no more. */
  ofEarlierKeys: number;
  revoked: number;
  readonly validRefused: string[];
  readonly revokedAccepted: string[];
}

/** Users that log in, refresh and log out, and the tokens that they were given. */
export class RotationLoad {
  logins = 0;
  refreshes = 0;
  logouts = 0;
  readonly #nodes: readonly FaultNode[];
  #held: HeldToken[] = [];
  #newestKid = '';
  #turn = 0;

  constructor(nodes: readonly FaultNode[]) {
    this.#nodes = nodes;
  }

  /** One user, until aborted. Rejects at the first call that is not answered as it must be. */
  async live(email: string, refreshMs: number, signal: AbortSignal): Promise<void> {
    await registerUser(this.#nextNode(), email);
    while (!signal.aborted) {
      let tokens = await this.#call('/auth/login', { email, password: faultPassword });
      this.logins += 1;
      const mine = [this.#hold(tokens.access_token)];
      for (let count = 0; count < refreshesPerSession && !signal.aborted; count += 1) {
        await sleep(refreshMs);
        tokens = await this.#call('/auth/refresh', { refresh_token: tokens.refresh_token });
        this.refreshes += 1;
        mine.push(this.#hold(tokens.access_token));
      }
      await this.#logOut(tokens.refresh_token, mine);
    }
  }

  /** The unexpired tokens that a key has signed. */
  tokensOf(kid: string): string[] {
    const now = Date.now() + expiryMarginMs;
    return this.#held.filter((each) => each.kid === kid && each.expiresAt > now).map(textOf);
  }

  /** Lets a verifier judge the held tokens in turn, `perSecond` of them, until aborted. */
  async judge(verifier: Verifier, perSecond: number, signal: AbortSignal): Promise<Checks> {
    const checks: Checks = {
      valid: 0,
      ofEarlierKeys: 0,
      revoked: 0,
      validRefused: [],
      revokedAccepted: [],
    };
    const startedAt = performance.now();
    let asked = 0;
    while (!signal.aborted) {
      const owed = Math.ceil(((performance.now() - startedAt) / 1000) * perSecond) - asked;
      const chosen = this.#choose(Math.min(owed, 50), verifier.hearsOfLogouts);
      asked += chosen.length;
      await Promise.all(chosen.map((token) => this.#judge(token, verifier, checks)));
      await sleep(20);
    }
    return checks;
  }

  async #judge(token: HeldToken, { accepts }: Verifier, checks: Checks): Promise<void> {
    const wasEnded = token.endedAt !== null;
    const accepted = await accepts(token.text);
    if (wasEnded) {
      checks.revoked += 1;
      if (accepted) checks.revokedAccepted.push(token.kid);
    } else if (token.endedAt === null) {
      // One that was ended meanwhile may be judged either way.
      checks.valid += 1;
      if (token.kid !== this.#newestKid) checks.ofEarlierKeys += 1;
      if (!accepted) checks.validRefused.push(token.kid);
    }
  }

  #choose(count: number, withEnded: boolean): HeldToken[] {
    const now = Date.now();
    this.#held = this.#held.filter(({ expiresAt }) => expiresAt - expiryMarginMs > now);
    const fit = this.#held.filter(
      ({ endedAt }) => endedAt === null || (withEnded && now > endedAt + logoutReachMs),
    );
    if (fit.length === 0 || count <= 0) return [];
    return Array.from({ length: count }, () => {
      this.#turn += 1;
      return fit[this.#turn % fit.length]!;
    });
  }

  #hold(text: string): HeldToken {
    const [header, claims] = text
      .split('.', 2)
      .map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()));
    this.#newestKid = header.kid;
    const token = { text, kid: header.kid, expiresAt: claims.exp * 1000, endedAt: null };
    this.#held.push(token);
    return token;
  }

  async #logOut(refreshToken: string, mine: readonly HeldToken[]): Promise<void> {
    // From now on until the answer, either verdict is right.
    for (const token of mine) token.endedAt = Number.POSITIVE_INFINITY;
    const body = { refresh_token: refreshToken };
    await expectStatus(204, this.#nextNode().call('POST', '/auth/logout', { body }));
    this.logouts += 1;
    for (const token of mine) token.endedAt = Date.now();
  }

  #nextNode(): FaultNode {
    this.#turn += 1;
    return this.#nodes[this.#turn % this.#nodes.length]!;
  }

  async #call(target: string, body: object) {
    return (await expectStatus(200, this.#nextNode().call('POST', target, { body }))).body;
  }
}

const textOf = ({ text }: HeldToken) => text;
