import { describe, expect, it } from 'vitest';
import { profileClaimsFor } from '../../../src/domain/user/profile-claims.ts';

const byAudience = {
  shop: ['name', 'email'],
  mail: ['email', 'email_verified', 'phone_number'],
} as const;

describe('the profile claims of a token', () => {
  it('are those of its audience', () => {
    expect(profileClaimsFor(['shop'], byAudience)).toEqual(['email', 'name']);
    expect(profileClaimsFor(['mail'], byAudience)).toEqual([
      'email',
      'email_verified',
      'phone_number',
    ]);
  });

  // Fails when one audience reads what only another one may.
  it('are for several audiences those that each of them may see', () => {
    expect(profileClaimsFor(['shop', 'mail'], byAudience)).toEqual(['email']);
    expect(profileClaimsFor(['shop', 'other'], byAudience)).toEqual([]);
  });

  it('are none for an audience that is not listed, and for no audience', () => {
    for (const audience of [['other'], ['constructor'], ['__proto__'], []]) {
      expect(profileClaimsFor(audience, byAudience)).toEqual([]);
    }
  });
});
