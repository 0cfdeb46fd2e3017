import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { LatchkeyError } from '../../../src/domain/kernel/errors.ts';
import { sha256 } from '../../../src/domain/kernel/sha256.ts';
import { sessionDecider } from '../../../src/domain/session/decide.ts';
import type { DeviceKey } from '../../../src/domain/session/device-key.ts';
import { deriveSuccessorSecret } from '../../../src/domain/session/refresh-token.ts';
import { repeatedSuccessor } from '../../../src/domain/session/rotation.ts';
import type { SessionState } from '../../../src/domain/session/state.ts';
import { seededRandom } from '../../rebuild/ingredients.ts';
import { dayMs, refreshWith, startedAt, startWeb } from './sessions.ts';

const sessionId = '0190a1b2-c3d4-7e5f-8a6b-0c1d2e3f4a5b';
const runs = 1000;
const deviceKey: DeviceKey = { kind: 'dpop', jkt: 'thumbprint', jwk: { kty: 'EC' } };

interface Token {
  readonly generation: number;
  readonly secret: Buffer;
}

/** A session as its row holds it, and the tokens that its clients were given: real secrets. */
class Session {
  state: SessionState;
  readonly first: Token = { generation: 1, secret: randomBytes(32) };
  readonly given: Token[] = [this.first];
  events = 0;

  constructor() {
    const secretHash = sha256(this.first.secret);
    const salt = randomBytes(16).toString('base64url');
    this.state = sessionDecider.initialState;
    this.#apply(sessionDecider.decide(this.state, { ...startWeb, deviceKey, secretHash, salt }));
  }

  /** The successor that a refresh is answered, or the code of its refusal. */
  refresh({ generation, secret }: Token, now: number, keyProven = true): Token | string {
    const newSalt = randomBytes(16).toString('base64url');
    const next = this.state.generation + 1;
    const successor = deriveSuccessorSecret(secret, newSalt, sessionId, next);
    try {
      const decision = sessionDecider.decide(
        this.state,
        refreshWith(generation, now, {
          presented: { generation, secretHash: sha256(secret) },
          successor: { secretHash: sha256(successor) },
          ...{ newSalt, keyProven, graceSeconds: 0 },
        }),
      );
      this.#apply(decision);
      if (decision.refusal !== undefined) return decision.refusal;
      const isRepeat = decision.events.length === 0;
      const made = isRepeat ? repeatedSuccessor(this.state, sessionId, secret) : successor;
      const token = { generation: this.state.generation, secret: made };
      this.given.push(token);
      return token;
    } catch (error) {
      if (error instanceof LatchkeyError) return error.code;
      throw error;
    }
  }

  #apply({ events }: ReturnType<typeof sessionDecider.decide>): void {
    for (const event of events) this.state = sessionDecider.evolve(this.state, event);
    this.events += events.length;
  }
}

describe('a bound session, in 1,000 runs', () => {
  // Fails when any delay, order or repetition of its tokens ends the session of the key's holder.
  it('is never logged out: five in a second, one after 7:45, one after three days', () => {
    const random = seededRandom(8);
    const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
    for (let run = 0; run < runs; run++) {
      const session = new Session();
      let now = startedAt + 900_000;
      /** Other tabs refresh with whatever they hold. */
      const others = () => {
        for (let turn = Math.floor(random() * 4); turn > 0; turn--) {
          now += Math.floor(random() * 900_000);
          expect(session.refresh(pick(session.given), now)).toBeTypeOf('object');
        }
      };
      const successors = [0, 200, 400, 600, 800].map((ms) =>
        session.refresh(session.first, now + ms),
      );
      expect(new Set(successors.map((token) => JSON.stringify(token))).size).toBe(1);
      expect(session.events).toBe(2);
      const begun = now;
      now = begun + 465_000;
      if (run % 2 === 1) others();
      expect(session.refresh(session.first, now)).toBeTypeOf('object');
      others();
      now = Math.max(now, begun + 3 * dayMs);
      expect(session.refresh(session.first, now)).toBeTypeOf('object');
      expect(session.refresh(session.given.at(-1)!, now + 1)).toBeTypeOf('object');
      expect(session.state.status).toBe('live');
    }
  });

  it('is refreshed by no thief, whichever token was stolen, and stays as it was', () => {
    const random = seededRandom(9);
    for (let run = 0; run < runs; run++) {
      const session = new Session();
      let now = startedAt + 900_000;
      for (let turn = 0; turn < 3; turn++) session.refresh(session.given.at(-1)!, now++);
      const before = session.state;
      const stolen = session.given[Math.floor(random() * session.given.length)]!;
      const later = now + Math.floor(random() * 6 * dayMs);
      expect(session.refresh(stolen, later, false)).toBe('invalid_dpop_proof');
      expect(session.state).toBe(before);
      expect(session.refresh(session.given.at(-1)!, later)).toBeTypeOf('object');
    }
  });
});
