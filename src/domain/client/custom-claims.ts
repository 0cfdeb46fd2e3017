import { limits } from '../kernel/limits.ts';

type ClaimScalar = string | number | boolean;

/** What a client's registration adds to its access tokens: flat, and the same in each of them. */
export type CustomClaims = { readonly [name: string]: ClaimScalar | readonly ClaimScalar[] };

/**
 * Names with a meaning of their own: what Latchkey writes, the claims that are registered (IANA,
 * JSON Web Token Claims), the members of an introspection (RFC 7662), and what widespread libraries
 * read rights from. A claim under one of them would pass for what it is not.
 */
const reservedNames: ReadonlySet<string> = new Set(
  [
    'iss sub aud exp nbf iat jti sid client_id client_epoch epoch device_type auth_time acr amr azp',
    'scope scp roles role groups entitlements permissions authorities realm_access resource_access',
    'cnf act may_act authorization_details events toe txn nonce typ alg kid jwk jku x5c x5u crit',
    'at_hash c_hash s_hash sub_jwk sub_id trust_framework verified_claims attest vot vtm orig dest',
    'name given_name family_name middle_name nickname preferred_username username profile picture',
    'website email email_verified gender birthdate zoneinfo locale phone_number address updated_at',
    'phone_number_verified active token_type user_id upn',
  ].flatMap((names) => names.split(' ')),
);

/** A letter first: JavaScript reorders keys that are numbers, and `__proto__` is no claim. */
const namePattern = /^[A-Za-z][A-Za-z0-9_.:/~-]{0,127}$/;

/** What is wrong with custom claims, by field. */
export function customClaimProblems(claims: CustomClaims): { path: string; message: string }[] {
  const { clientClaimsMax, clientClaimsBytesMax } = limits;
  const entries = Object.entries(claims);
  const problem = (message: string) => [{ path: 'claims', message }];
  if (entries.length > clientClaimsMax) return problem(`at most ${clientClaimsMax}`);
  const wrong = entries.flatMap(([name, value]) => {
    const message = problemOf(name, value);
    return message === null ? [] : [{ path: `claims.${name}`, message }];
  });
  if (wrong.length > 0) return wrong;
  if (Buffer.byteLength(JSON.stringify(claims)) <= clientClaimsBytesMax) return [];
  return problem(`more than ${clientClaimsBytesMax} bytes of JSON`);
}

/** The same claims in the order of their names: JSON columns keep no order. */
export function sortedClaims(claims: CustomClaims): CustomClaims {
  return Object.fromEntries(
    Object.keys(claims)
      .sort()
      .map((name) => [name, claims[name]!]),
  );
}

function problemOf(name: string, value: CustomClaims[string]): string | null {
  if (!namePattern.test(name)) return 'not a name of a claim';
  if (reservedNames.has(name.toLowerCase())) return 'is reserved';
  const values = Array.isArray(value) ? value : [value];
  if (values.length === 0) return 'an empty list says nothing';
  return values.every(isScalar) ? null : 'text without control characters, integer or boolean';
}

function isScalar(value: unknown): boolean {
  if (typeof value === 'string') return value.isWellFormed() && !/\p{Cc}/u.test(value);
  return typeof value === 'boolean' || Number.isSafeInteger(value);
}
