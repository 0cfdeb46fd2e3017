import { writeFileSync } from 'node:fs';

/** Where the generated rules stand; `prometheus.yml` names the file. */
export const alertsFile = new URL('./alerts.yml', import.meta.url);

interface Alert {
  readonly name: string;
  readonly expr: string;
  /** How long it must hold, as Prometheus writes a duration. */
  readonly for?: string;
  /** `page`: somebody must look now. `ticket`: within a working day. */
  readonly severity: 'page' | 'ticket';
  readonly summary: string;
}

/**
 * Whether a counter has grown within `window`. `increase` alone misses the first count of a series,
 * which is absent until then.
 */
const grown = (counter: string, window: string) =>
  `increase(${counter}[${window}]) > 0 or (${counter} > 0 unless ${counter} offset ${window})`;

/** As Prometheus calls a label of ours that its own label `job` would hide. */
const jobOf = 'exported_job';
const day = 86_400;

const serving: readonly Alert[] = [
  {
    name: 'LatchkeyDown',
    expr: 'up{job="latchkey"} == 0',
    for: '2m',
    severity: 'page',
    summary: '{{ $labels.instance }} does not answer its scrapes',
  },
  {
    name: 'LatchkeyNotReady',
    expr: 'sum by (instance) (increase(latchkey_http_requests_total{route="/readyz",status="5xx"}[2m])) > 0',
    for: '1m',
    severity: 'page',
    summary: '{{ $labels.instance }} answers its readiness probe with 503',
  },
  {
    name: 'LatchkeyLeaseExpired',
    expr: 'latchkey_lease_valid == 0',
    for: '30s',
    severity: 'page',
    summary: '{{ $labels.instance }} refuses every token: it has read no revocations for a whole lease',
  },
  {
    name: 'LatchkeyRevocationPollOld',
    expr: 'latchkey_revocation_poll_age_seconds > 5',
    for: '15s',
    severity: 'page',
    summary: '{{ $labels.instance }} has read no revocations for {{ $value }} s',
  },
  {
    name: 'LatchkeyUnusableKeys',
    expr: 'latchkey_unusable_keys > 0',
    for: '5m',
    severity: 'page',
    summary: '{{ $labels.instance }} cannot open {{ $value }} active or pending issuer keys',
  },
  {
    name: 'LatchkeyLoginFloorOverruns',
    expr: 'sum(increase(latchkey_login_floor_overruns_total[10m])) > 10',
    severity: 'ticket',
    summary: 'Refused logins take longer than LOGIN_FLOOR_MS: their time tells them apart',
  },
  {
    name: 'LatchkeyHashesShed',
    expr: 'sum(increase(latchkey_password_hashes_shed_total{reason="queue_full"}[5m])) > 0',
    severity: 'ticket',
    summary: 'More networks log in at once than the nodes can hash for',
  },
];

const abuse: readonly Alert[] = [
  {
    name: 'LatchkeyRefreshTokenReuse',
    expr: 'sum(increase(latchkey_refresh_token_reuse_total[10m])) > 0',
    severity: 'ticket',
    summary: 'A refresh token was used twice: it may be stolen',
  },
  {
    name: 'LatchkeyRefreshTokenReuseMany',
    expr: 'sum(increase(latchkey_refresh_token_reuse_total[10m])) > 20',
    severity: 'page',
    summary: 'More than 20 refresh tokens were used twice within 10 minutes',
  },
  {
    name: 'LatchkeyLockouts',
    expr: 'sum by (of) (increase(latchkey_lockouts_total[10m])) > 10',
    severity: 'ticket',
    summary: 'More than 10 locks of a {{ $labels.of }} within 10 minutes: somebody guesses passwords',
  },
  {
    name: 'LatchkeyNetworkRefused',
    expr: 'sum(increase(latchkey_refused_networks_total[10m])) > 0',
    severity: 'ticket',
    summary: 'A network was refused more often than NETWORK_REFUSALS_WARN in an hour',
  },
  {
    name: 'LatchkeyKeyRevoked',
    expr: grown('latchkey_notable_events_total{event="KeyRevoked"}', '10m'),
    severity: 'page',
    summary: 'An issuer key was revoked',
  },
  {
    name: 'LatchkeyRefusedRows',
    expr: grown('latchkey_refused_rows_total', '10m'),
    severity: 'page',
    summary: 'Somebody writes to {{ $labels.table }} past the service',
  },
];

const log: readonly Alert[] = [
  {
    name: 'LatchkeyLogDamaged',
    expr: 'latchkey_log_check_findings > 0',
    severity: 'page',
    summary: 'The check of the log found duplicates, gaps or other damage',
  },
  {
    name: 'LatchkeyLogCheckOld',
    expr: `time() - max(latchkey_log_check_whole_timestamp_seconds) > ${31 * day}`,
    severity: 'ticket',
    summary: 'The whole log was not checked for a month',
  },
  {
    name: 'LatchkeyManyPartitions',
    expr: 'max(latchkey_log_partitions) > 500',
    severity: 'ticket',
    summary: 'The log has {{ $value }} partitions',
  },
];

const jobs: readonly Alert[] = [
  {
    name: 'LatchkeyNoWorker',
    expr: `time() - max(latchkey_job_last_success_timestamp_seconds{${jobOf}="sessions.expire"}) > 600 or absent(latchkey_job_last_success_timestamp_seconds)`,
    for: '5m',
    severity: 'page',
    summary: 'No worker has ended sessions for 10 minutes, or none is scraped',
  },
  {
    name: 'LatchkeyFailedJobs',
    expr: 'max by (queue) (latchkey_failed_jobs) > 0',
    for: '5m',
    severity: 'ticket',
    summary: '{{ $value }} jobs of {{ $labels.queue }} failed for good',
  },
  {
    name: 'LatchkeySessionExpiryBacklog',
    expr: 'max(latchkey_session_expiry_backlog_seconds) > 900',
    for: '5m',
    severity: 'ticket',
    summary: 'The oldest session that is over waits for its end since {{ $value }} s',
  },
  {
    name: 'LatchkeyKeyRotationOverdue',
    expr: `max(latchkey_issuer_key_age_seconds{status="active"}) > ${95 * day}`,
    for: '1h',
    severity: 'ticket',
    summary: 'No worker rotates the issuer key',
  },
];

const redis: readonly Alert[] = [
  {
    name: 'LatchkeyRedisAway',
    expr: 'latchkey_redis_up == 0',
    for: '5m',
    severity: 'ticket',
    summary: '{{ $labels.instance }} ({{ $labels.part }}) works without Redis',
  },
  {
    name: 'LatchkeyRateLimitsAlone',
    expr: 'sum(increase(latchkey_rate_limits_alone_total[5m])) > 10',
    for: '5m',
    severity: 'ticket',
    summary: 'Nodes decide on rate limits without the others',
  },
  {
    name: 'LatchkeyRedisModelStopped',
    expr: 'latchkey_redis_model_stopped > 0',
    for: '1m',
    severity: 'page',
    summary: 'The read model in Redis does not follow the log: {{ $labels.why }}',
  },
  {
    name: 'LatchkeyRedisModelLag',
    expr: 'min(latchkey_redis_model_lag_seconds) > 5',
    for: '1m',
    severity: 'page',
    summary: 'Services that ask Redis alone accept tokens that were revoked {{ $value }} s ago',
  },
];

const mail: readonly Alert[] = [
  {
    name: 'LatchkeyMailsWait',
    expr: 'max(latchkey_mail_oldest_seconds) > 120',
    for: '2m',
    severity: 'page',
    summary: 'A mail waits for {{ $value }} s: codes expire after ten minutes',
  },
  {
    name: 'LatchkeyMailOutboxLag',
    expr: 'min(latchkey_mail_outbox_lag_seconds) > 30',
    for: '2m',
    severity: 'page',
    summary: 'No worker has looked for mails in the log for {{ $value }} s',
  },
  {
    name: 'LatchkeyMailsRefused',
    expr: 'sum(increase(latchkey_mail_deliveries_total{outcome="refused"}[1h])) > 20',
    severity: 'ticket',
    summary: 'The mail server has refused {{ $value }} mails for good in an hour',
  },
];

const groups: Readonly<Record<string, readonly Alert[]>> = {
  serving,
  abuse,
  log,
  jobs,
  redis,
  mail,
};

/** Every alert, in the order of the file. */
export const alerts: readonly Alert[] = Object.values(groups).flat();

/** The heading of `docs/operations.md` that says what to do, as a link names it. */
export const runbookOf = ({ name }: Pick<Alert, 'name'>) => name.toLowerCase();

/** The rules as Prometheus reads them, as YAML text. */
export function renderAlerts(): string {
  const lines = [
    '# Generated: change alerts.ts, then run `npx node grafana/alerts.ts`.',
    'groups:',
    ...Object.entries(groups).flatMap(([name, members]) => [
      `  - name: latchkey-${name}`,
      '    rules:',
      ...members.flatMap(ruleLines),
    ]),
  ];
  return `${lines.join('\n')}\n`;
}

function ruleLines(alert: Alert): string[] {
  return [
    `      - alert: ${alert.name}`,
    `        expr: ${JSON.stringify(alert.expr)}`,
    ...(alert.for === undefined ? [] : [`        for: ${alert.for}`]),
    '        labels:',
    `          severity: ${alert.severity}`,
    '        annotations:',
    `          summary: ${JSON.stringify(alert.summary)}`,
    `          runbook: docs/operations.md#${runbookOf(alert)}`,
  ];
}

if (import.meta.main) writeFileSync(alertsFile, renderAlerts());
