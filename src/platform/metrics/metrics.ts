import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { shedReasons } from '../fair-queue.ts';

const prefix = 'latchkey_';
const requestSeconds = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.6, 1, 2.5, 5];
const appendSeconds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1];
const batchSizes = [1, 2, 5, 10, 20, 50, 100];

/**
 * What is read when somebody scrapes, handed over by the parts that know. Ages are seconds; NaN
 * means unknown. `verifications` counts by result in plain numbers, so that a verification pays an
 * addition and no lookup of labels.
 */
export interface MetricSources {
  tailAgeSeconds: () => number;
  revocationPollAgeSeconds: () => number;
  leaseValid: () => boolean;
  unusableKeys: () => number;
  passwordQueueDepth: () => number;
  pools: Record<string, () => { total: number; idle: number; waiting: number }>;
  verifications: Record<string, number>;
}

export interface Metrics {
  readonly registry: Registry;
  readonly sources: MetricSources;
  /** One answered request; `route` is the declared path. */
  observeRequest(route: string, method: string, status: number, seconds: number): void;
  readonly logins: Counter<'outcome' | 'reason'>;
  readonly refusals: Counter<'code'>;
  readonly refreshes: Counter<'outcome'>;
  readonly appends: Counter;
  readonly appendEvents: Counter<'kind'>;
  readonly appendConflicts: Counter;
  readonly appendBatchCommands: Histogram;
  readonly appendDuration: Histogram;
  readonly loginFloorOverruns: Counter;
  readonly rateLimited: Counter<'action'>;
  readonly notableEvents: Counter<'event'>;
  readonly passwordHashesShed: Counter<'reason'>;
}

/**
 * A registry with the metrics of Node and of the process, under the names that every dashboard for
 * Node looks for.
 */
export function processRegistry(): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  // Gauges named as counters are. The same numbers, by type, stand in the ones without `_total`.
  for (const what of ['handles', 'requests', 'resources']) {
    registry.removeSingleMetric(`nodejs_active_${what}_total`);
  }
  return registry;
}

/**
 * The metrics of an API, in `registry`. No label ever names a user, a session or an address.
 */
export function createMetrics(registry = processRegistry()): Metrics {
  const registers = [registry];
  const sources = unknownSources();
  registerGauges(registers, sources);
  return {
    registry,
    sources,
    observeRequest: requestObserver(registers),
    ...withZeros(counters(registers)),
    ...appendMetrics(registers),
  };
}

function unknownSources(): MetricSources {
  return {
    tailAgeSeconds: () => Number.NaN,
    revocationPollAgeSeconds: () => Number.NaN,
    leaseValid: () => false,
    unusableKeys: () => 0,
    passwordQueueDepth: () => 0,
    pools: {},
    verifications: {},
  };
}

function requestObserver(registers: Registry[]): Metrics['observeRequest'] {
  const requests = new Counter({
    name: `${prefix}http_requests_total`,
    help: 'Requests answered, by declared route, method and class of status',
    labelNames: ['route', 'method', 'status'],
    registers,
  });
  const duration = new Histogram({
    name: `${prefix}http_request_duration_seconds`,
    help: 'From the request headers to the end of the answer',
    labelNames: ['route', 'method'],
    buckets: requestSeconds,
    registers,
  });
  const known = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);
  return (route, method, status, seconds) => {
    const label = known.has(method) ? method : 'other';
    requests.inc({ route, method: label, status: `${Math.floor(status / 100)}xx` });
    duration.observe({ route, method: label }, seconds);
  };
}

/** A rate needs a first value: what has not happened yet is 0, not absent. */
function withZeros<T extends Pick<Metrics, 'passwordHashesShed'>>(made: T): T {
  for (const reason of shedReasons) made.passwordHashesShed.inc({ reason }, 0);
  return made;
}

function counters(registers: Registry[]) {
  const counter = <L extends string>(name: string, help: string, labelNames: L[]): Counter<L> =>
    new Counter({ name: prefix + name, help, labelNames, registers });
  return {
    logins: counter('logins_total', 'Login attempts by outcome and reason', ['outcome', 'reason']),
    refusals: counter('refusals_total', 'Requests refused, by error code', ['code']),
    refreshes: counter('refreshes_total', 'Refresh attempts by outcome', ['outcome']),
    loginFloorOverruns: counter(
      'login_floor_overruns_total',
      'Refused logins that took longer than LOGIN_FLOOR_MS',
      [],
    ),
    passwordHashesShed: counter(
      'password_hashes_shed_total',
      'Password hashes that never began because their queue was full, by reason',
      ['reason'],
    ),
    rateLimited: counter('rate_limited_total', 'Requests over a rate limit', ['action']),
    notableEvents: counter(
      'notable_events_total',
      'Rotations and revocations of issuer keys, reuse of refresh tokens, lockouts, by event',
      ['event'],
    ),
  };
}

function appendMetrics(registers: Registry[]) {
  return {
    appends: new Counter({
      name: `${prefix}appends_total`,
      help: 'Commands appended to the event log',
      registers,
    }),
    appendEvents: new Counter({
      name: `${prefix}append_events_total`,
      help: 'Events appended, by stream kind',
      labelNames: ['kind'],
      registers,
    }),
    appendConflicts: new Counter({
      name: `${prefix}append_conflicts_total`,
      help: 'Commands that met another version than they expected',
      registers,
    }),
    appendBatchCommands: new Histogram({
      name: `${prefix}append_batch_commands`,
      help: 'Commands that shared one transaction',
      buckets: batchSizes,
      registers,
    }),
    appendDuration: new Histogram({
      name: `${prefix}append_duration_seconds`,
      help: 'From handing a command to the writer until its commit',
      buckets: appendSeconds,
      registers,
    }),
  };
}

function registerGauges(registers: Registry[], sources: MetricSources): void {
  gauge(registers, 'tail_age_seconds', 'Age of the last tail poll', () => sources.tailAgeSeconds());
  gauge(registers, 'revocation_poll_age_seconds', 'Age of the last good revocation poll', () =>
    sources.revocationPollAgeSeconds(),
  );
  gauge(registers, 'lease_valid', 'Whether this node may verify tokens: 1 or 0', () =>
    sources.leaseValid() ? 1 : 0,
  );
  gauge(
    registers,
    'unusable_keys',
    'Active and pending issuer keys that this node cannot open',
    () => sources.unusableKeys(),
  );
  gauge(registers, 'password_queue_depth', 'Password hashes waiting for their turn', () =>
    sources.passwordQueueDepth(),
  );
  new Gauge({
    name: `${prefix}pool_connections`,
    help: 'Database connections by pool and state; waiting are callers without one',
    labelNames: ['pool', 'state'],
    registers,
    collect() {
      for (const [pool, read] of Object.entries(sources.pools)) {
        for (const [state, value] of Object.entries(read())) this.set({ pool, state }, value);
      }
    },
  });
  new Counter({
    name: `${prefix}verifications_total`,
    help: 'Access tokens verified, by result',
    labelNames: ['result'],
    registers,
    collect() {
      this.reset();
      for (const [result, count] of Object.entries(sources.verifications)) {
        this.inc({ result }, count);
      }
    },
  });
}

function gauge(registers: Registry[], name: string, help: string, read: () => number): void {
  new Gauge({
    name: prefix + name,
    help,
    registers,
    collect() {
      this.set(read());
    },
  });
}
