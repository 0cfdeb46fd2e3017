import type { DomainEvent } from '../kernel/event.ts';

/** An administrator made the invite. Its code is answered once and kept nowhere. */
export type InviteCreated = DomainEvent<
  'InviteCreated',
  {
    at: number;
    /** Hash of the secret in the code. */
    secretHash: string;
    /** From then on Latchkey refuses the invite. */
    expiresAt: number;
    /** The administrator's user id, or a name such as `cli`. */
    createdBy: string;
  }
>;

/**
 * A registration with the invite met an address that is taken, and was answered 409. After five of
 * them Latchkey refuses the invite like one that was used. The log must not say which address it
 * was.
 */
export type InviteTried = DomainEvent<'InviteTried', { at: number }>;

/** The invite was used, in the same append as the `UserRegistered` that it paid for. */
export type InviteUsed = DomainEvent<
  'InviteUsed',
  {
    at: number;
    /** Who registered with it. */
    userId: string;
  }
>;

/** The stream id is the invite id. */
export type InviteEvent = InviteCreated | InviteTried | InviteUsed;
