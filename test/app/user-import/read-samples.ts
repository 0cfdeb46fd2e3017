import type { Candidate } from '../../../src/app/user-import/candidate.ts';
import { readUser, type SystemName } from '../../../src/app/user-import/systems.ts';

export const now = Date.parse('2030-01-01T00:00:00Z');
export const uuid = '5f1e6d4c-3b2a-4190-8877-665544332211';

export function read(user: unknown, from: SystemName = 'latchkey', trustVerified = true) {
  return readUser(user, from, { source: from, trustVerified, usernames: true, now });
}

export function candidate(user: unknown, from?: SystemName): Candidate {
  const made = read(user, from);
  if ('refusal' in made) throw new Error(made.refusal);
  return made;
}
