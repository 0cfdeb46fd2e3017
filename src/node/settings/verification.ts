import { longestAccessTokenTtlSeconds } from '../../domain/session/lifetimes.ts';
import { milliseconds, oneOf, seconds } from '../../platform/config/kinds.ts';
import { variable } from '../../platform/config/setting.ts';
import { settings } from '../../platform/config/topic.ts';
import { lifetimes } from './session.ts';

export const verification = settings(
  'Verification',
  {
    leaseSeconds: variable('LEASE_SECONDS', seconds(1, 3600))
      .default(60)
      .says('How long a node verifies without news of revocations; longer than a failover takes'),
    pollMs: variable('REVOCATION_POLL_MS', milliseconds(5, 10_000))
      .default(50)
      .says('How often it asks'),
    stalePolicy: variable('STALE_POLICY', oneOf(['refuse', 'serve']))
      .default('refuse')
      .says("After the lease: `refuse` with 503, or `serve` until the token's end"),
    clockSkewSeconds: variable('CLOCK_SKEW_SECONDS', seconds(0, 300))
      .default(5)
      .says('Accepted difference of clocks when a token is verified'),
  },
  {
    rules: (own, { read, refuseIf }) => {
      const { profile, accessTokenExpiryMs } = read(lifetimes);
      const accessSeconds = longestAccessTokenTtlSeconds({ profile, accessTokenExpiryMs });
      refuseIf(
        own.clockSkewSeconds >= accessSeconds,
        'clockSkewSeconds',
        `must be shorter than an access token lives (${accessSeconds} s)`,
      );
      refuseIf(
        own.pollMs * 4 > own.leaseSeconds * 1000,
        'pollMs',
        'must leave room for four polls in LEASE_SECONDS',
      );
    },
  },
);
