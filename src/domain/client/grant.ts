import { LatchkeyError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';
import { charactersInToken } from '../kernel/token-room.ts';

/** What a client asks of a token at the token endpoint. */
export interface RequestedGrant {
  /** As it was sent (RFC 6749 section 3.3); null: all that may be granted. */
  readonly scope: string | null;
  readonly audiences: readonly string[];
  /** RFC 8707. With the audiences empty too: the default. */
  readonly resources: readonly string[];
}

/** What a token is for, and what it may do there. */
export interface Grant {
  readonly audience: readonly string[];
  /** Space-separated. */
  readonly scope: string;
}

interface Grantable {
  readonly audiences: readonly string[];
  readonly scopes: readonly string[];
  readonly audiencesByDefault: readonly string[];
}

/**
 * What a client is granted for itself: all its scopes and its first audience, unless it asks for
 * less, or for others of its audiences. Raises `invalid_scope`, `invalid_target`.
 */
export function grantToClient(
  {
    audiences,
    scopes,
  }: { readonly audiences: readonly string[]; readonly scopes: readonly string[] },
  requested: RequestedGrant,
): Grant {
  return granted({ audiences, scopes, audiencesByDefault: audiences.slice(0, 1) }, requested);
}

/**
 * What the next access token of a session is granted: as much as the session, or the part of it
 * that the client asks for (RFC 6749 section 6, RFC 8707 section 2.2). The session keeps the whole.
 * Raises `invalid_scope`, `invalid_target`.
 */
export function narrowedGrant({ audience, scope }: Grant, requested: RequestedGrant): Grant {
  const scopes = scope === '' ? [] : scope.split(' ');
  return granted({ audiences: audience, scopes, audiencesByDefault: audience }, requested);
}

function granted(
  { audiences, scopes, audiencesByDefault }: Grantable,
  { scope, audiences: named, resources }: RequestedGrant,
): Grant {
  if (!resources.every(isResource)) {
    throw new LatchkeyError('invalid_target', { detail: 'a resource that is no absolute URI' });
  }
  const asked = [...new Set([...named, ...resources])];
  const audience = asked.length === 0 ? audiencesByDefault : asked;
  if (audience.length === 0 || !audience.every((each) => audiences.includes(each))) {
    throw new LatchkeyError('invalid_target', { detail: 'an audience that is not granted' });
  }
  if (charactersInToken(audience) > limits.tokenAudiencesCharactersMax) {
    throw new LatchkeyError('invalid_target', { detail: 'more audiences than fit into a token' });
  }
  return { audience, scope: grantedScope(scopes, scope) };
}

function grantedScope(scopes: readonly string[], requested: string | null): string {
  const wanted = requested === null ? scopes : [...new Set(requested.split(' '))];
  if (!wanted.every((each) => scopes.includes(each))) {
    throw new LatchkeyError('invalid_scope', { detail: 'a scope that is not granted' });
  }
  const scope = wanted.join(' ');
  if (scope.length <= limits.tokenScopeCharactersMax) return scope;
  throw new LatchkeyError('invalid_scope', { detail: 'more scopes than fit into a token' });
}

/** RFC 8707 section 2: an absolute URI without a fragment. */
function isResource(text: string): boolean {
  return URL.canParse(text) && !text.includes('#');
}
