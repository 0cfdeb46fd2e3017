/**
 * What a bearer does with its token. `account`: act for its user. `profile`: read the user.
 * `administration`: act below `/admin`. `service`: use something that the issuer protects.
 */
export type BearerUse = 'account' | 'profile' | 'administration' | 'service';

export interface NoAuth {
  readonly kind: 'none';
}
export interface OptionalAuth {
  readonly kind: 'optional';
}
export interface BearerAuth {
  readonly kind: 'bearer';
  readonly use: BearerUse;
  /** What the token must name besides; else `insufficient_scope`. */
  readonly role: string | null;
  readonly scope: string | null;
  /** Whether the user must have proved to be the user within `RECENT_AUTHENTICATION_SECONDS`. */
  readonly recent: boolean;
}
export interface ClientAuth {
  readonly kind: 'client';
}

/** Who may call a route. */
export type RouteAuth = NoAuth | OptionalAuth | BearerAuth | ClientAuth;

/** Anybody; the Authorization header is not read. */
export const none: NoAuth = { kind: 'none' };

/** The handler decides, with `accessToken` at hand. */
export const optional: OptionalAuth = { kind: 'optional' };

/** Client authentication by Basic or form (RFC 6749 section 2.3.1). */
export const client: ClientAuth = { kind: 'client' };

/**
 * A good access token for `use` (default `account`), with the role and the scope if named, of a user
 * who has logged in or stepped up lately if `recent`.
 */
export function bearer({
  use = 'account',
  role = null,
  scope = null,
  recent = false,
}: Partial<Omit<BearerAuth, 'kind'>> = {}): BearerAuth {
  return { kind: 'bearer', use, role, scope, recent };
}
