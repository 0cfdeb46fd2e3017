import type { DomainEvent } from '../kernel/event.ts';

/**
 * Times are epoch milliseconds. `secretHash`: base64url SHA-256 of a 256-bit random secret.
 * `createdBy`: a user id, or a name such as `cli`.
 */
export type InviteCreated = DomainEvent<
  'InviteCreated',
  { at: number; secretHash: string; expiresAt: number; createdBy: string }
>;
export type InviteUsed = DomainEvent<'InviteUsed', { at: number; userId: string }>;

export type InviteEvent = InviteCreated | InviteUsed;
