import { expect, it } from 'vitest';
import { limits } from '../../src/domain/kernel/limits.ts';
import { loadConfig } from '../../src/node/config.ts';
import { revocationOfUser } from '../../src/tables/revocation.ts';

const lifeMs = (hours: number) => ({ ACCESS_TOKEN_EXPIRY_MS: String(hours * 3_600_000) });

// Fails when the bound of ACCESS_TOKEN_EXPIRY_MS goes: an epoch would be forgotten before the tokens that it refuses
// have expired, and they would be good again.
it('no access token may outlive the memory of what revokes it', () => {
  const revoked = { at: 0, epoch: 1, cause: 'logout_everywhere' } as const;
  const { until } = revocationOfUser('u', { type: 'UserEpochRaised', data: revoked })!;
  expect(until).toBeGreaterThan(limits.accessTokenTtlSecondsMax * 1000);
  expect(loadConfig(lifeMs(24)).lifetimes.accessTokenExpiryMs).toBeLessThanOrEqual(until);
  expect(() => loadConfig(lifeMs(25))).toThrow(/ACCESS_TOKEN_EXPIRY_MS/);
});
