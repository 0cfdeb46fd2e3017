import { accessTokenCharactersMax } from '@latchkey/contract/access-token-claims';
import { invalidField } from './errors.ts';
import { limits } from './limits.ts';

/**
 * What a list takes in the JSON of an access token: each entry with its quotes and its comma. Roles,
 * audiences and scopes are visible ASCII that JSON writes as it is.
 */
export function charactersInToken(list: readonly string[]): number {
  return list.reduce((sum, entry) => sum + entry.length + 3, 0);
}

/**
 * Raises `invalid_request` for audiences that do not fit into one token, also when the client may
 * have each of them. The other parts are bounded where they are granted, so that the largest token
 * has fewer than `accessTokenCharactersMax` characters.
 */
export function requireRoomForAudiences(audiences: readonly string[]): void {
  if (charactersInToken(audiences) <= limits.tokenAudiencesCharactersMax) return;
  throw invalidField('audience', 'more audiences than fit into one token');
}

/** At most: the header, a signature by RSA with 2,048 bits, and two dots. */
const charactersBesideClaims = 200 + 342 + 2;
/** Base64url writes three bytes as four characters. */
const claimsBytesMax = Math.floor(((accessTokenCharactersMax - charactersBesideClaims) * 3) / 4);

/**
 * Those of `wanted`, in their order, that still fit into a token beside `claims`: each whole, or
 * not at all. For what a token can do without.
 */
export function fittingClaims(
  claims: object,
  wanted: Readonly<Record<string, string | boolean>>,
): Readonly<Record<string, string | boolean>> {
  let room = claimsBytesMax - Buffer.byteLength(JSON.stringify(claims));
  const fitting = Object.entries(wanted).filter(([name, value]) => {
    // Without the braces, and with the comma before it.
    const bytes = Buffer.byteLength(JSON.stringify({ [name]: value })) - 1;
    if (bytes > room) return false;
    room -= bytes;
    return true;
  });
  return Object.fromEntries(fitting);
}
