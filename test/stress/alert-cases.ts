/** Series as promtool writes them, a sample a minute: `0+1x5` is 0 and five times 1 more. */
type Series = Readonly<Record<string, string>>;

export interface AlertCase {
  readonly fires: Series;
  readonly isQuiet: Series;
  /** When to look. Default: 20m. */
  readonly at?: string;
}

const lastSuccess = 'latchkey_job_last_success_timestamp_seconds{exported_job="sessions.expire"}';
const notReady = 'latchkey_http_requests_total{route="/readyz",status="5xx",instance="a"}';
const ready = 'latchkey_http_requests_total{route="/readyz",status="2xx",instance="a"}';
const full = 'latchkey_password_hashes_shed_total{reason="queue_full"}';
const left = 'latchkey_password_hashes_shed_total{reason="left"}';
const reuse = 'latchkey_refresh_token_reuse_total{instance="a"}';
const lockouts = 'latchkey_lockouts_total{of="user"}';
const revoked = 'latchkey_notable_events_total{event="KeyRevoked"}';
const rotated = 'latchkey_notable_events_total{event="KeyRetired"}';
const refusedRows = 'latchkey_refused_rows_total{table="sessions"}';
const findings = 'latchkey_log_check_findings{scope="new"}';
const failed = 'latchkey_failed_jobs{queue="log.check"}';
const refusedMails = 'latchkey_mail_deliveries_total{kind="verify-email",outcome="refused"}';
const sentMails = 'latchkey_mail_deliveries_total{kind="verify-email",outcome="sent"}';
const stopped = 'latchkey_redis_model_stopped{why="event"}';
const age = (status: string) => `latchkey_issuer_key_age_seconds{status="${status}",kid="k"}`;

/** For each alert what makes it fire, and what is near to that and does not. */
export const alertCases: Readonly<Record<string, AlertCase>> = {
  LatchkeyDown: {
    fires: { 'up{job="latchkey"}': '1x10 0x10' },
    isQuiet: { 'up{job="latchkey"}': '1x17 0 1x10', 'up{job="node"}': '0x30' },
  },
  LatchkeyNotReady: {
    fires: { [notReady]: '0x10 0+6x20' },
    isQuiet: { [notReady]: '7x30', [ready]: '0+6x30' },
  },
  LatchkeyLeaseExpired: {
    fires: { latchkey_lease_valid: '1x10 0x20' },
    isQuiet: { latchkey_lease_valid: '1x30' },
  },
  LatchkeyRevocationPollOld: {
    fires: { latchkey_revocation_poll_age_seconds: '0.05x10 30x20' },
    isQuiet: { latchkey_revocation_poll_age_seconds: '4.9x30' },
  },
  LatchkeyUnusableKeys: {
    fires: { latchkey_unusable_keys: '1x30' },
    isQuiet: { latchkey_unusable_keys: '0x17 1x10' },
  },
  LatchkeyLoginFloorOverruns: {
    fires: { latchkey_login_floor_overruns_total: '0+3x30' },
    isQuiet: { latchkey_login_floor_overruns_total: '0+1x30' },
    at: '10m',
  },
  LatchkeyHashesShed: {
    fires: { [full]: '0x17 3x20' },
    isQuiet: { [full]: '3x30', [left]: '0+9x30' },
  },
  LatchkeyRefreshTokenReuse: {
    fires: { [reuse]: '0x15 1x20' },
    isQuiet: { [reuse]: '1x30' },
  },
  LatchkeyRefreshTokenReuseMany: {
    fires: { [reuse]: '0+3x30' },
    isQuiet: { [reuse]: '0+1x30' },
  },
  LatchkeyLockouts: {
    fires: { [lockouts]: '0+2x30' },
    isQuiet: { [lockouts]: '0x12 6x30' },
  },
  LatchkeyNetworkRefused: {
    fires: { latchkey_refused_networks_total: '0x15 1x20' },
    isQuiet: { latchkey_refused_networks_total: '4x30' },
  },
  LatchkeyKeyRevoked: {
    fires: { [revoked]: '_x15 1x20' },
    isQuiet: { [revoked]: '1x40', [rotated]: '0+1x30' },
  },
  LatchkeyRefusedRows: {
    fires: { [refusedRows]: '_x15 1x20' },
    isQuiet: { [refusedRows]: '1x40' },
  },
  LatchkeyLogDamaged: { fires: { [findings]: '2x30' }, isQuiet: { [findings]: '0x30' } },
  LatchkeyLogCheckOld: {
    fires: { latchkey_log_check_whole_timestamp_seconds: '0x800' },
    isQuiet: { latchkey_log_check_whole_timestamp_seconds: '0x760 2592000x40' },
    at: '32d',
  },
  LatchkeyManyPartitions: {
    fires: { latchkey_log_partitions: '501x30' },
    isQuiet: { latchkey_log_partitions: '500x30' },
  },
  LatchkeyNoWorker: {
    fires: { [lastSuccess]: '0x40' },
    isQuiet: { [lastSuccess]: '0+60x40' },
    at: '30m',
  },
  LatchkeyFailedJobs: { fires: { [failed]: '1x30' }, isQuiet: { [failed]: '0x30' } },
  LatchkeySessionExpiryBacklog: {
    fires: { latchkey_session_expiry_backlog_seconds: '901x30' },
    isQuiet: { latchkey_session_expiry_backlog_seconds: '899x30' },
  },
  LatchkeyKeyRotationOverdue: {
    fires: { [age('active')]: '8300000x120' },
    isQuiet: { [age('active')]: '7000000x120', [age('retiring')]: '9000000x120' },
    at: '90m',
  },
  LatchkeyRedisAway: {
    fires: { 'latchkey_redis_up{part="serve"}': '1x10 0x20' },
    isQuiet: { 'latchkey_redis_up{part="serve"}': '1x16 0x2 1x20' },
  },
  LatchkeyRateLimitsAlone: {
    fires: { 'latchkey_rate_limits_alone_total{reason="slow"}': '0+5x30' },
    isQuiet: { 'latchkey_rate_limits_alone_total{reason="slow"}': '0+1x30' },
  },
  LatchkeyRedisModelStopped: { fires: { [stopped]: '1x30' }, isQuiet: { [stopped]: '0x30' } },
  LatchkeyRedisModelLag: {
    fires: { latchkey_redis_model_lag_seconds: '6x30' },
    isQuiet: {
      'latchkey_redis_model_lag_seconds{instance="follows"}': '9x30',
      'latchkey_redis_model_lag_seconds{instance="leads"}': '0x30',
    },
  },
  LatchkeyMailsWait: {
    fires: { 'latchkey_mail_oldest_seconds{instance="a"}': '0x10 180+60x20' },
    isQuiet: { 'latchkey_mail_oldest_seconds{instance="a"}': '0x16 180 0x20' },
  },
  LatchkeyMailOutboxLag: {
    fires: { latchkey_mail_outbox_lag_seconds: '40x30' },
    isQuiet: {
      'latchkey_mail_outbox_lag_seconds{instance="follows"}': '90x30',
      'latchkey_mail_outbox_lag_seconds{instance="leads"}': '0x30',
    },
  },
  LatchkeyMailsRefused: {
    fires: { [refusedMails]: '0+2x30' },
    isQuiet: { [refusedMails]: '0x25 5x10', [sentMails]: '0+90x30' },
  },
};
