import { randomBytes } from 'node:crypto';
import { pino } from 'pino';
import { startApi } from '../../src/api/serve.ts';
import type { By } from '../../src/app/by.ts';
import { registerUser, registrationId } from '../../src/app/user/register-user.ts';
import { LatchkeyError } from '../../src/domain/kernel/errors.ts';
import type { RefreshTokenParts } from '../../src/domain/session/refresh-token.ts';
import { decodeRefreshToken } from '../../src/domain/session/refresh-token.ts';
import { loadConfig } from '../../src/node/config.ts';
import type { Node } from '../../src/node/node.ts';
import { newId } from '../../src/platform/crypto/new-id.ts';

export const benchKek = `bench:${randomBytes(32).toString('base64url')}`;
const password = 'violet kettle past midnight';

export interface BenchNodeOptions {
  readonly databaseUrl: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Epoch milliseconds; default: the machine's clock. */
  readonly now?: () => number;
  /** Passwords are hashed as in a service; default: for nothing. */
  readonly realHash?: boolean;
}

/**
 * A whole API process inside of this one, for benchmarks that call the use cases and not HTTP. Of
 * it two things are replaced: the clock, where one is given, and the hash of passwords, unless
 * it is asked for. It serves until `opened` is closed.
 */
export async function startBenchNode(
  opened: AsyncDisposableStack,
  { databaseUrl, env, now, realHash = false }: BenchNodeOptions,
) {
  const api = await startApi({
    config: loadConfig({
      PORT: '0',
      METRICS_PORT: '0',
      ISSUER: 'http://latchkey.bench',
      KEK: benchKek,
      KEY_ALGORITHM: 'ES256',
      RATE_LIMITS: 'off',
      ...env,
    }),
    databaseUrl,
    log: pino({ level: 'silent' }),
  });
  opened.defer(() => api.stop());
  const freeHasher: Node['hasher'] = {
    hash: async () => '$bench$',
    verify: async () => ({ matches: true, needsRehash: false }),
    running: 0,
    queued: 0,
  };
  const node: Node = {
    ...api.node,
    ...(realHash ? {} : { hasher: freeHasher }),
    ...(now === undefined ? {} : { now }),
  };
  return { node };
}

const userAgents = [
  'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148',
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36',
];

/** Somebody who asks from a home of their own. */
export function byPerson(index: number): By {
  const requestId = newId();
  return {
    actor: { type: 'anonymous', id: null },
    requestId,
    correlationId: requestId,
    address: `10.${(index >> 16) & 255}.${(index >> 8) & 255}.${index & 255}`,
    userAgent: userAgents[index % userAgents.length]!,
  };
}

export const emailOf = (index: number) => `person-${index}@example.test`;

export async function registerPerson(node: Node, index: number): Promise<void> {
  const by = byPerson(index);
  const userId = registrationId(by, null);
  const account = { email: emailOf(index), password, roles: [], emailVerified: false, userId };
  await untilAvailable(() => registerUser(node, account, by));
}

/** Again and again while the machine is too busy for the deadline, as a client would. */
export async function untilAvailable(work: () => Promise<unknown>): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      await work();
      return;
    } catch (error) {
      const code = error instanceof LatchkeyError ? error.code : null;
      // The first try was committed behind its deadline.
      if (tries > 1 && code === 'conflict') return;
      if (code !== 'unavailable') throw error;
    }
  }
}

/** What every login of the benchmarks has in common. */
export const loginOf = (index: number) => ({
  email: emailOf(index),
  password,
  transport: 'body' as const,
  clientId: null,
  clientSecret: null,
  key: null,
  audience: null,
  payTry: async () => {},
});

export function partsOf(node: Node, refreshToken: string): RefreshTokenParts {
  const parts = decodeRefreshToken(refreshToken, node.secrets.refreshMacKeys);
  if (parts === null) throw new Error('not a refresh token of this service');
  return parts;
}

/** What every refresh of the benchmarks asks. */
export function refreshOf(node: Node, refreshToken: string) {
  const parts = { refreshToken: partsOf(node, refreshToken), boundCookie: null, key: null };
  const client = { endpoint: 'refresh', namedClientId: null } as const;
  return { ...parts, idempotencyKey: null, client, requested: null, pay: async () => {} };
}

/**
 * Calls `work` for 0 to `count` - 1, so many at a time. After a rejection it begins no more, and
 * rejects when those under way have ended.
 */
export async function inParallel(
  count: number,
  callers: number,
  work: (index: number) => Promise<unknown>,
): Promise<void> {
  let next = 0;
  const failures: unknown[] = [];
  const caller = async () => {
    while (next < count && failures.length === 0) {
      await work(next++).catch((error) => failures.push(error));
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  if (failures.length > 0) throw failures[0];
}
