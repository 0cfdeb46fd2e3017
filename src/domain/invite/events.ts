import type { DomainEvent } from '../kernel/event.ts';

/**
 * Times are epoch milliseconds. `secretHash`: base64url SHA-256 of a 256-bit random secret.
 * `createdBy`: a user id, or a name such as `cli`.
 */
export type InviteCreated = DomainEvent<
  'InviteCreated',
  { at: number; secretHash: string; expiresAt: number; createdBy: string }
>;
/** A registration with it met an address that is taken; which one must not stand in the log. */
export type InviteTried = DomainEvent<'InviteTried', { at: number }>;
export type InviteUsed = DomainEvent<'InviteUsed', { at: number; userId: string }>;

export type InviteEvent = InviteCreated | InviteTried | InviteUsed;
