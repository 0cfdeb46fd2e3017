import type { DeviceType } from '@latchkey/contract/device-type';
import { logIn } from '../../src/app/session/log-in.ts';
import { refreshSession } from '../../src/app/session/refresh-session.ts';
import { revokeSession } from '../../src/app/session/revoke-session.ts';
import { LatchkeyError } from '../../src/domain/kernel/errors.ts';
import type { Node } from '../../src/node/node.ts';
import { byPerson, loginOf, partsOf, refreshOf } from '../support/bench-node.ts';

/** Which devices people log in from, in per cent of all logins. */
const deviceShares: readonly (readonly [DeviceType, number])[] = [
  ['web', 50],
  ['mobile', 28],
  ['desktop', 10],
  ['tablet', 5],
  ['service', 4],
  ['iot', 3],
];

/** What somebody has kept of their last login with one type of device. */
interface Held {
  readonly person: number;
  readonly refreshToken: string;
}

type Act = 'login' | 'refresh' | 'logout';

const failuresMax = 20;

/**
 * People who log in, come back and log out. A login supersedes what its person has on the same
 * type of device; a refresh or a logout is of a random session that somebody still holds, so that
 * some meet a session that the clock has ended meanwhile.
 */
export class People {
  readonly #node: Node;
  readonly #count: number;
  readonly #deviceTokens = new Map<string, string>();
  readonly #held = new Map<string, Held>();
  /** The keys of `#held`, and the place of each, for a random choice. */
  readonly #keys: string[] = [];
  readonly #places = new Map<string, number>();
  readonly outcomes: Record<string, number> = {};
  /** What no service may answer. */
  readonly failures: unknown[] = [];

  constructor(node: Node, count: number) {
    this.#node = node;
    this.#count = count;
  }

  /**
   * Counts how it ended. A week is long, so some failures are kept for its report; it rejects with
   * one too many.
   */
  async act(act: Act): Promise<void> {
    try {
      const outcome = await this.#run(act);
      this.#note(`${act}: ${outcome}`);
    } catch (error) {
      const code = error instanceof LatchkeyError ? error.code : 'internal_error';
      this.#note(`${act}: ${code}`);
      if (code !== 'internal_error') return;
      this.failures.push(error);
      if (this.failures.length > failuresMax) throw error;
    }
  }

  #run(act: Act): Promise<string> {
    if (act === 'login') return this.#logIn();
    const key = this.#keys[Math.floor(Math.random() * this.#keys.length)];
    if (key === undefined) return Promise.resolve('nobody there');
    const held = this.#held.get(key)!;
    // Out of reach until it is answered: a client has one request for its token under way.
    this.#drop(key);
    return act === 'refresh' ? this.#refresh(key, held) : this.#logOut(held);
  }

  async #logIn(): Promise<string> {
    const person = Math.floor(Math.random() * this.#count);
    const type = pickDevice();
    const key = `${person} ${type}`;
    const deviceToken = this.#deviceTokens.get(key) ?? null;
    const device = { type, name: `${type} of somebody` };
    const input = { ...loginOf(person), device, deviceToken };
    const issued = await logIn(this.#node, input, byPerson(person));
    if (issued.deviceToken !== null) this.#deviceTokens.set(key, issued.deviceToken);
    if (issued.refreshToken !== null) this.#hold(key, issued.refreshToken, person);
    return 'done';
  }

  async #refresh(key: string, { person, refreshToken }: Held): Promise<string> {
    const input = refreshOf(this.#node, refreshToken);
    const issued = await refreshSession(this.#node, input, byPerson(person));
    if (!this.#held.has(key)) this.#hold(key, issued.refreshToken!, person);
    return 'done';
  }

  async #logOut({ person, refreshToken }: Held): Promise<string> {
    const { sessionId } = partsOf(this.#node, refreshToken);
    await revokeSession(this.#node, { sessionId, reason: 'logout' }, byPerson(person));
    return 'done';
  }

  #note(outcome: string): void {
    this.outcomes[outcome] = (this.outcomes[outcome] ?? 0) + 1;
  }

  #hold(key: string, refreshToken: string, person: number): void {
    this.#held.set(key, { person, refreshToken });
    if (this.#places.has(key)) return;
    this.#places.set(key, this.#keys.length);
    this.#keys.push(key);
  }

  #drop(key: string): void {
    this.#held.delete(key);
    const place = this.#places.get(key)!;
    const last = this.#keys.pop()!;
    this.#places.delete(key);
    if (last === key) return;
    this.#keys[place] = last;
    this.#places.set(last, place);
  }
}

function pickDevice(): DeviceType {
  let left = Math.random() * 100;
  for (const [type, share] of deviceShares) {
    left -= share;
    if (left < 0) return type;
  }
  return 'web';
}
