/**
 * What a presented password is compared with. No password is ill-formed text, whose bytes would be
 * those of another one: half a surrogate pair is hashed as U+FFFD. So it is compared with nothing,
 * at the same cost.
 */
export function presentedPassword(text: string, passwordHash: string | null) {
  return { password: text, hash: text.isWellFormed() ? passwordHash : null };
}
