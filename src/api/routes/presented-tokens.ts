import type { IncomingHttpHeaders } from 'node:http';
import type { KeyProof } from '@latchkey/verifier/verify';
import { invalidField, type LatchkeyError } from '../../domain/kernel/errors.ts';
import { decodeRefreshToken, type RefreshTokenParts } from '../../domain/session/refresh-token.ts';
import type { Node } from '../../node/node.ts';
import { recognizedFor, verifiedFor } from '../../node/verified-for.ts';
import { refreshCookie } from '../http/cookies.ts';
import { guardCookieMode, originPolicy } from '../http/origin-rule.ts';
import type { PresentedAccessToken } from '../http/presented-token.ts';

/** The three places where a refresh or a logout may carry a token. */
export interface TokenPlaces {
  readonly accessToken: PresentedAccessToken | null;
  /** The key that the request has proved, if it has. */
  readonly jkt: string | null;
  readonly inBody: string | undefined;
  readonly headers: IncomingHttpHeaders;
}

/** What they say, once they agree. */
export interface PresentedTokens {
  /** An access token for our own endpoints, expired or not: enough to end its session, never more. */
  readonly bearer: { readonly sid: string; readonly sub: string } | null;
  /** The bearer is of a session that had a key of its own, and has ended: nobody can verify it. */
  readonly bearerHasEnded: boolean;
  /** Whether the body or a cookie that counts holds a refresh token, ours or not. */
  readonly hasRefreshToken: boolean;
  /** What that one says; null when it is not ours. */
  readonly refreshToken: RefreshTokenParts | null;
  /** Whether our cookie was sent and counts: beside no bearer of another session. */
  readonly cookieCounts: boolean;
}

/** An access token for any other use counts as none here. */
const account = { kind: 'account' } as const;

type Needed = Pick<Node, 'memory' | 'sessionKeys' | 'secrets' | 'config'>;

/**
 * The tokens of a refresh, which needs the refresh token: the cookie counts under the rules of
 * cookie mode (`unsupported_media_type`, `origin_refused`). Raises `invalid_request` when two
 * places name different sessions.
 */
export async function tokensForRefresh(
  node: Needed,
  places: TokenPlaces,
): Promise<PresentedTokens> {
  const found = await find(node, places);
  if (found.cookie === 'counts') guardCookieMode(places.headers, originPolicy(node.config));
  if (found.cookie === 'other' && places.inBody === undefined) throw otherSession();
  return agree(found, places.inBody);
}

/**
 * The tokens of a logout. The bearer alone may end its session, so beside one of ours the cookie
 * is only removed, and only if the rules of cookie mode let it count. A bearer that is good now
 * chooses its session; an old one beside the cookie of another session raises `invalid_request`,
 * for the page would believe to be logged out.
 */
export async function tokensForLogout(node: Needed, places: TokenPlaces): Promise<PresentedTokens> {
  const found = await find(node, places);
  if (found.cookie === 'counts') {
    try {
      guardCookieMode(places.headers, originPolicy(node.config));
    } catch (refused) {
      if (found.bearer === null) throw refused;
      return agree({ ...found, inCookie: null, cookie: 'none' }, places.inBody);
    }
  }
  if (found.cookie === 'other' && !(await isGoodNow(node, places))) {
    throw otherSession();
  }
  return agree(found, places.inBody);
}

async function isGoodNow(node: Needed, { accessToken, jkt }: TokenPlaces): Promise<boolean> {
  const keyProof = keyProofOf(accessToken!, jkt);
  return (await verifiedFor(node, accessToken!.text, account, keyProof)).ok;
}

/** A token that is bound to a key counts under the scheme `DPoP` and with a proof of it only. */
function keyProofOf({ scheme }: PresentedAccessToken, jkt: string | null): KeyProof | undefined {
  return scheme === 'DPoP' && jkt !== null ? { jkt } : undefined;
}

interface Found {
  readonly bearer: PresentedTokens['bearer'];
  readonly bearerHasEnded: boolean;
  readonly inCookie: string | null;
  /** `other`: of another session than the bearer, which it does not stand beside. */
  readonly cookie: 'none' | 'counts' | 'other';
  readonly decode: (refreshToken: string) => RefreshTokenParts | null;
}

async function find(node: Needed, { accessToken, jkt, headers }: TokenPlaces): Promise<Found> {
  const { secrets } = node;
  const recognition =
    accessToken === null
      ? null
      : await recognizedFor(node, accessToken.text, account, keyProofOf(accessToken, jkt));
  const bearer = recognition?.ok === true ? recognition.claims : null;
  const bearerHasEnded = recognition !== null && node.sessionKeys.lookup.hasEnded(recognition);
  const ofBearer = { bearer, bearerHasEnded };
  const decode = (refreshToken: string) => decodeRefreshToken(refreshToken, secrets.refreshMacKeys);
  const inCookie = refreshCookie(headers.cookie);
  if (inCookie === null) return { ...ofBearer, inCookie, cookie: 'none', decode };
  const sessionId = bearer === null ? undefined : decode(inCookie)?.sessionId;
  const isOther = sessionId !== undefined && sessionId !== bearer?.sid;
  return { ...ofBearer, inCookie, cookie: isOther ? 'other' : 'counts', decode };
}

function agree(
  { bearer, bearerHasEnded, inCookie, cookie, decode }: Found,
  inBody: string | undefined,
): PresentedTokens {
  const cookieCounts = cookie === 'counts';
  if (cookieCounts && inBody !== undefined && inBody !== inCookie) {
    throw invalidField('refresh_token', 'differs from the refresh cookie');
  }
  const presented = inBody ?? (cookieCounts ? inCookie : null);
  const refreshToken = presented === null ? null : decode(presented);
  if (bearer !== null && refreshToken !== null && refreshToken.sessionId !== bearer.sid) {
    throw otherSession();
  }
  return {
    bearer,
    bearerHasEnded,
    hasRefreshToken: presented !== null,
    refreshToken,
    cookieCounts,
  };
}

function otherSession(): LatchkeyError {
  return invalidField('refresh_token', 'is of another session than the bearer');
}
