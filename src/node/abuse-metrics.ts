import type { Counter, Registry } from 'prom-client';
import { counter } from '../platform/metrics/registry.ts';

/** What tells of an attacker. Each has a line in the log, and an alert in `grafana/alerts.yml`. */
export interface AbuseMetrics {
  readonly refreshTokenReuse: Counter;
  readonly lockouts: Counter<'of'>;
  readonly refusedNetworks: Counter;
}

export function abuseMetrics(registry: Registry): AbuseMetrics {
  const lockouts = counter(registry, {
    name: 'latchkey_lockouts_total',
    help: 'Locks after failed checks of a credential, of a user or of one known device',
    labels: ['of'],
  });
  // A rate needs a first value.
  for (const whose of ['user', 'device']) lockouts.inc({ of: whose }, 0);
  return {
    lockouts,
    refreshTokenReuse: counter(registry, {
      name: 'latchkey_refresh_token_reuse_total',
      help: 'Sessions that ended because their refresh token was used twice',
    }),
    refusedNetworks: counter(registry, {
      name: 'latchkey_refused_networks_total',
      help: 'Networks that were refused NETWORK_REFUSALS_WARN times in an hour, each once an hour',
    }),
  };
}
