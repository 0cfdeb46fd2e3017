import { type AccessTokenClaims, firstPartyClientId } from '@latchkey/contract/access-token-claims';

/**
 * What somebody wants to do with an access token. `account`: act for the user below `/auth`.
 * `profile`: read the user. `administration`: act below `/admin`. `service`: enter a protected
 * service, named by its audience or, with null, any of the issuer's own. `introspection`: learn its
 * claims as a client with these audiences; null for a client that may introspect everything.
 */
export type TokenUse =
  | { readonly kind: 'account' | 'profile' | 'administration' }
  | { readonly kind: 'service'; readonly audience: string | null }
  | { readonly kind: 'introspection'; readonly audiences: readonly string[] | null };

export interface TokenRealm {
  readonly issuer: string;
  readonly defaultAudience: string;
  isFirstParty(clientId: string): boolean;
}

/**
 * `audience`: not meant for us at all. The others: meant for us, without the right to this.
 * `no_user`: a client's own.
 */
export type UseRefusal = 'audience' | 'other_audiences' | 'no_user' | 'third_party';

/** The scope with which a third party reads the user. */
const profileScope = 'profile';

/**
 * Why a good token may not be used so, or null. The one place that decides it, for Express, the
 * fast lane, introspection and logout alike. A service that a user visits holds a token for itself,
 * which must be worth nothing here (RFC 9068 section 5, RFC 9700 section 2.3). So must one that a
 * client has for itself: nothing here acts for a client.
 */
export function refusalOfUse(
  { aud, sub, client_id, scope }: Pick<AccessTokenClaims, 'aud' | 'sub' | 'client_id' | 'scope'>,
  use: TokenUse,
  realm: TokenRealm,
): UseRefusal | null {
  const { issuer, defaultAudience } = realm;
  switch (use.kind) {
    case 'service': {
      if (use.audience !== null) return aud.includes(use.audience) ? null : 'audience';
      return aud.includes(issuer) || aud.includes(defaultAudience) ? null : 'audience';
    }
    case 'introspection': {
      const { audiences } = use;
      const isMeant = audiences === null || aud.some((audience) => audiences.includes(audience));
      return isMeant ? null : 'audience';
    }
    default:
      break;
  }
  if (!aud.includes(issuer)) return 'audience';
  if (sub === client_id) return 'no_user';
  if (use.kind === 'administration' && aud.some((audience) => audience !== issuer)) {
    return 'other_audiences';
  }
  if (client_id === firstPartyClientId || realm.isFirstParty(client_id)) return null;
  const reads = use.kind === 'profile' && scope?.split(' ').includes(profileScope) === true;
  return reads ? null : 'third_party';
}
