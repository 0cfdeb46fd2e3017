export const profileClaimNames = ['email', 'email_verified', 'name', 'phone_number'] as const;
export type ProfileClaim = (typeof profileClaimNames)[number];

/** Which parts of a user's profile stand in the tokens for an audience. */
export type ProfileClaimsByAudience = Readonly<Record<string, readonly ProfileClaim[]>>;

/**
 * Those that a token for these audiences holds. Each of its audiences reads all of it, so one that
 * may not see a claim keeps it out.
 */
export function profileClaimsFor(
  audience: readonly string[],
  byAudience: ProfileClaimsByAudience,
): readonly ProfileClaim[] {
  const listed = audience.map((each) => (Object.hasOwn(byAudience, each) ? byAudience[each]! : []));
  return profileClaimNames.filter(
    (name) => listed.length > 0 && listed.every((names) => names.includes(name)),
  );
}
