import { activeKey, publishedKeys } from '../../domain/keyset/published.ts';
import type { KeysetState } from '../../domain/keyset/state.ts';
import { newestGeneration, type SessionState } from '../../domain/session/state.ts';
import { buildJwks } from '../../node/signing-keys.ts';

/** A command of Redis and its arguments. To run it again changes nothing. */
export type RedisCommand = readonly [name: string, ...args: (string | number)[]];

/** Every command and every kind of key of the model, once. In one step they leave nothing. */
export const rehearsal: readonly RedisCommand[] = [
  ['SET', 'blacklist:latchkey:rehearsal', 1, 'PX', 1],
  ['SET', 'auth:keys:rehearsal', 1, 'PX', 1],
  ['DEL', 'blacklist:latchkey:rehearsal', 'auth:keys:rehearsal'],
  ['ZADD', 'auth:keys:rehearsal', 1, 'kid'],
  ['DEL', 'auth:keys:rehearsal'],
  ['SADD', 'auth:keys:rehearsal', 'kid'],
  ['DEL', 'auth:keys:rehearsal'],
  ['SCAN', 0, 'COUNT', 1],
];

/** What the tokens of a session die of; times are epoch milliseconds. */
interface Span {
  /** No token of it lives longer. */
  readonly until: number;
  readonly now: number;
}

type Generations = Pick<SessionState, 'tokensFromGeneration' | 'generation' | 'stepUps'>;

/** An ended session: by its id, and by that of each of its tokens that may not have expired. */
export function sessionEntries(
  sessionId: string,
  generations: Generations | null,
  span: Span,
): RedisCommand[] {
  const tokens = generations === null ? [] : tokenEntries(sessionId, generations, span);
  return [...entry(sessionId, 1, span), ...tokens];
}

/** The tokens that a session has made so far; those it makes later are good. */
export function tokenEntries(
  sessionId: string,
  generations: Generations,
  span: Span,
): RedisCommand[] {
  const first = Math.max(1, generations.tokensFromGeneration);
  const count = Math.max(0, newestGeneration(generations) - first + 1);
  return Array.from({ length: count }, (_, index) => `${sessionId}.${first + index}`).flatMap(
    (jti) => entry(jti, 1, span),
  );
}

/** Tokens of the user with a lower `epoch` are dead. */
export function userEntry(userId: string, epoch: number, span: Span): RedisCommand[] {
  return entry(`user:${userId}`, epoch, span);
}

/** Tokens of the client with a lower `client_epoch` are dead: all of one that is disabled. */
export function clientEntry(clientId: string, epoch: number, span: Span): RedisCommand[] {
  return entry(`client:${clientId}`, epoch, span);
}

function entry(name: string, value: number, { until, now }: Span): RedisCommand[] {
  const ttlMs = until - now;
  return ttlMs <= 0 ? [] : [['SET', `blacklist:${name}`, value, 'PX', ttlMs]];
}

/** The issuer keyset, public parts only; `goneKids` have left it or were revoked. */
export function keysetEntries(keyset: KeysetState, goneKids: readonly string[]): RedisCommand[] {
  const published = publishedKeys(keyset);
  const kids = new Set(published.map(({ kid }) => kid));
  const active = activeKey(keyset);
  const revoked = keyset.keys.filter(({ status }) => status === 'revoked');
  const gone = [...goneKids, ...revoked.map(({ kid }) => kid)].filter((kid) => !kids.has(kid));
  return [
    ['DEL', 'auth:keys:recent', 'auth:keys:revoked', ...gone.map(jwkKey)],
    active === undefined ? ['DEL', 'auth:keys:active'] : ['SET', 'auth:keys:active', active.kid],
    ...buildJwks(keyset).keys.map(
      (jwk): RedisCommand => ['SET', jwkKey(jwk.kid!), JSON.stringify(jwk)],
    ),
    ...published.map(
      ({ kid, generatedAt }): RedisCommand => ['ZADD', 'auth:keys:recent', generatedAt, kid],
    ),
    ...revoked.map(({ kid }): RedisCommand => ['SADD', 'auth:keys:revoked', kid]),
  ];
}

function jwkKey(kid: string): string {
  return `auth:keys:jwk:${kid}`;
}
