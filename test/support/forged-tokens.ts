import type { KeyObject } from 'node:crypto';
import {
  deriveSuccessorSecret,
  encodeRefreshToken,
} from '../../src/domain/session/refresh-token.ts';

/** What the log holds of the refresh token of a session. */
export interface KeptOfToken {
  readonly session_id: string;
  readonly generation: number;
  readonly secret_hash: string;
  readonly parent_hash: string;
  readonly salt: string;
}

/** A refresh token of that session with this secret, under the first MAC key. */
export function forgedToken(
  macKey: KeyObject,
  { session_id: sessionId, generation }: Pick<KeptOfToken, 'session_id' | 'generation'>,
  secret: Buffer,
): string {
  return encodeRefreshToken({ sessionId, generation, secret, macKeyId: 1, macKey });
}

/** One guess for each of these sessions, each made another way of what is kept. */
export function guessedTokens(macKey: KeyObject, sessions: readonly KeptOfToken[]): string[] {
  return sessions.map((kept, n) => {
    const of = (text: string) => Buffer.from(text, 'base64url');
    const from = (secret: string) =>
      deriveSuccessorSecret(of(secret), kept.salt, kept.session_id, kept.generation);
    const guess = [
      of(kept.secret_hash),
      of(kept.parent_hash),
      Buffer.concat([of(kept.salt), of(kept.salt)]),
      from(kept.secret_hash),
      from(kept.parent_hash),
    ];
    return forgedToken(macKey, kept, guess[n] ?? Buffer.alloc(32));
  });
}
