import { fromAuth0, hasSecondFactorInAuth0 } from './auth0.ts';
import { fromBetterAuth, hasSecondFactorInBetterAuth } from './better-auth.ts';
import { type Candidate, type CandidateOptions, readCandidate } from './candidate.ts';
import { asFields, type Fields } from './fields.ts';
import { fromKeycloak, hasSecondFactorInKeycloak } from './keycloak.ts';
import type { ImportRefusal } from './refusals.ts';
import { fromSupabase, isDeletedInSupabase } from './supabase.ts';

/** A system whose export we read. */
interface System {
  /** One user of its export in our format. `now`: epoch ms. */
  readonly read: (user: Fields, now: number) => Fields;
  readonly isDeleted?: (user: Fields) => boolean;
  /** Whether its export says that the user has one. No second factor is imported. */
  readonly hasSecondFactor?: (user: Fields) => boolean;
}

const systems = {
  latchkey: { read: (user) => user },
  keycloak: { read: fromKeycloak, hasSecondFactor: hasSecondFactorInKeycloak },
  auth0: { read: fromAuth0, hasSecondFactor: hasSecondFactorInAuth0 },
  supabase: { read: fromSupabase, isDeleted: isDeletedInSupabase },
  'better-auth': { read: fromBetterAuth, hasSecondFactor: hasSecondFactorInBetterAuth },
} as const satisfies Readonly<Record<string, System>>;

export type SystemName = keyof typeof systems;
export const systemNames = Object.keys(systems) as SystemName[];

/** Reads one user of an export. `now`: epoch ms. */
export function readUser(
  value: unknown,
  from: SystemName,
  { now, ...options }: CandidateOptions & { readonly now: number },
): Candidate | { readonly refusal: ImportRefusal } {
  const user = asFields(value);
  if (user === null) return { refusal: 'not_json' };
  const system: System = systems[from];
  if (system.isDeleted?.(user)) return { refusal: 'deleted' };
  const read = readCandidate(system.read(user, now), options);
  if ('refusal' in read) return read;
  return { ...read, leavesSecondFactorOut: system.hasSecondFactor?.(user) ?? false };
}
