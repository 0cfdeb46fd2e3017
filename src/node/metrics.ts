import { Counter, Gauge, type Registry } from 'prom-client';
import type { PasswordHasher } from '../platform/crypto/password-hash.ts';
import { hashProblems } from '../platform/crypto/stored-hash.ts';
import { shedReasons } from '../platform/fair-queue.ts';
import { counter, readGauge } from '../platform/metrics/registry.ts';
import type { Pools } from '../platform/postgres/pool.ts';
import { type AbuseMetrics, abuseMetrics } from './abuse-metrics.ts';
import { observeIssuerKeys } from './key-metrics.ts';
import type { NodeMemory } from './node-memory.ts';
import { observeSessionKeys } from './session-key-metrics.ts';
import type { SessionKeys } from './session-keys.ts';

export interface NodeMetrics {
  /** Where they are registered. */
  readonly registry: Registry;
  readonly logins: Counter<'outcome' | 'reason'>;
  readonly mailProofs: Counter<'purpose' | 'outcome'>;
  readonly secondFactors: Counter<'factor' | 'outcome'>;
  readonly refreshes: Counter<'outcome'>;
  readonly tokenRequests: Counter<'grant' | 'outcome'>;
  readonly deviceBinding: Counter<'step' | 'result'>;
  readonly loginFloorOverruns: Counter;
  readonly rateLimited: Counter<'action'>;
  readonly notableEvents: Counter<'event'>;
  readonly abuse: AbuseMetrics;
  readonly passwordHashesShed: Counter<'reason'>;
  readonly passwordHashesRefused: Counter<'reason'>;
  /** By result, in plain numbers: a verification pays an addition and no lookup of labels. */
  readonly verifications: Record<string, number>;
}

/** What a node counts while it serves, in `registry`. */
export function nodeMetrics(registry: Registry): NodeMetrics {
  const verifications: Record<string, number> = {};
  countVerifications(registry, verifications);
  const passwordHashesShed = counter(registry, {
    name: 'latchkey_password_hashes_shed_total',
    help: 'Password hashes that never began because their queue was full, by reason',
    labels: ['reason'],
  });
  const deviceBinding = counter(registry, {
    name: 'latchkey_device_binding_total',
    help: 'Registrations, proofs and skipped proofs of device-bound sessions, by result',
    labels: ['step', 'result'],
  });
  const tokenRequests = counter(registry, {
    name: 'latchkey_token_requests_total',
    help: 'Requests of clients for tokens at /oauth2/token, by grant and outcome',
    labels: ['grant', 'outcome'],
  });
  // A rate needs a first value: what has not happened yet is 0, not absent.
  for (const reason of shedReasons) passwordHashesShed.inc({ reason }, 0);
  for (const grant of ['client_credentials', 'refresh_token']) {
    tokenRequests.inc({ grant, outcome: 'issued' }, 0);
  }
  deviceBinding.inc({ step: 'registration', result: 'bound' }, 0);
  for (const result of ['renewed', 'challenged', 'ended']) {
    deviceBinding.inc({ step: 'refresh', result }, 0);
  }
  return {
    registry,
    abuse: abuseMetrics(registry),
    verifications,
    passwordHashesShed,
    passwordHashesRefused: refusedHashes(registry),
    deviceBinding,
    mailProofs: mailProofs(registry),
    logins: counter(registry, {
      name: 'latchkey_logins_total',
      help: 'Login attempts by outcome and reason',
      labels: ['outcome', 'reason'],
    }),
    secondFactors: secondFactors(registry),
    refreshes: counter(registry, {
      name: 'latchkey_refreshes_total',
      help: 'Refresh attempts by outcome',
      labels: ['outcome'],
    }),
    tokenRequests,
    loginFloorOverruns: counter(registry, {
      name: 'latchkey_login_floor_overruns_total',
      help: 'Refused logins that took longer than LOGIN_FLOOR_MS',
    }),
    rateLimited: counter(registry, {
      name: 'latchkey_rate_limited_total',
      help: 'Requests over a rate limit',
      labels: ['action'],
    }),
    notableEvents: counter(registry, {
      name: 'latchkey_notable_events_total',
      help: 'Changes of issuer keys (every node counts each), reuse of refresh tokens, lockouts, by event',
      labels: ['event'],
    }),
  };
}

function mailProofs(registry: Registry): Counter<'purpose' | 'outcome'> {
  const proofs = counter(registry, {
    name: 'latchkey_mail_proofs_total',
    help: 'Codes and links by mail: asked for, withheld, of an unknown address, proven, refused',
    labels: ['purpose', 'outcome'],
  });
  for (const purpose of ['otp', 'verification', 'reset', 'email_change']) {
    proofs.inc({ purpose, outcome: 'requested' }, 0);
  }
  return proofs;
}

function secondFactors(registry: Registry): Counter<'factor' | 'outcome'> {
  const given = counter(registry, {
    name: 'latchkey_second_factors_total',
    help: 'Codes of authenticator apps and recovery codes that were given, by factor and outcome',
    labels: ['factor', 'outcome'],
  });
  for (const factor of ['totp', 'recovery_code']) given.inc({ factor, outcome: 'accepted' }, 0);
  return given;
}

function refusedHashes(registry: Registry): Counter<'reason'> {
  const refused = counter(registry, {
    name: 'latchkey_password_hashes_refused_total',
    help: 'Stored password hashes that no password was compared with, by reason',
    labels: ['reason'],
  });
  for (const reason of Object.keys(hashProblems)) refused.inc({ reason }, 0);
  return refused;
}

function countVerifications(registry: Registry, verifications: Record<string, number>): void {
  new Counter({
    name: 'latchkey_verifications_total',
    help: 'Access tokens verified, by result',
    labelNames: ['result'],
    registers: [registry],
    collect() {
      this.reset();
      for (const [result, count] of Object.entries(verifications)) this.inc({ result }, count);
    },
  });
}

interface Observed {
  readonly pools: Pools;
  readonly memory: NodeMemory;
  readonly hasher: PasswordHasher;
  readonly sessionKeys: SessionKeys;
}

/** Reads the state of a node whenever somebody scrapes `registry`. Ages are seconds. */
export function observeNode(registry: Registry, observed: Observed): void {
  const { pools, memory, hasher, sessionKeys } = observed;
  const instant = () => ({ now: Date.now(), monotonicNow: performance.now() });
  const gauges: readonly [name: string, help: string, read: () => number][] = [
    [
      'latchkey_revocation_poll_age_seconds',
      'Age of the last good revocation poll',
      () => memory.leases.ageSeconds(instant()),
    ],
    [
      'latchkey_lease_valid',
      'Whether this node may verify tokens: 1 or 0',
      () => (memory.leases.areFresh(instant()) ? 1 : 0),
    ],
    [
      'latchkey_unusable_keys',
      'Active and pending issuer keys that this node cannot open',
      () => memory.privateKeys.unusable.length,
    ],
    [
      'latchkey_password_queue_depth',
      'Password hashes waiting for their turn',
      () => hasher.queued,
    ],
  ];
  for (const [name, help, read] of gauges) readGauge(registry, { name, help }, read);
  observeIssuerKeys(registry, memory);
  observeSessionKeys(registry, memory, sessionKeys);
  observePools(registry, pools);
}

function observePools(registry: Registry, { writers, readers }: Pools): void {
  new Gauge({
    name: 'latchkey_pool_connections',
    help: 'Database connections by pool and state; waiting are callers without one',
    labelNames: ['pool', 'state'],
    registers: [registry],
    collect() {
      for (const [pool, counts] of [
        ['writers', writers.counts()],
        ['readers', readers.counts()],
      ] as const) {
        for (const [state, value] of Object.entries(counts)) this.set({ pool, state }, value);
      }
    },
  });
}
