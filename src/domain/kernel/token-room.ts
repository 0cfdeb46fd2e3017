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
