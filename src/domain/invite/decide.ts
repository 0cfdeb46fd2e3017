import { accept, type Decider, type Decision, refuse } from '../kernel/decider.ts';
import { LatchkeyError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';
import type { InviteEvent } from './events.ts';
import { evolveInvite, type InviteState, initialInvite } from './state.ts';

export interface CreateInvite {
  readonly type: 'CreateInvite';
  readonly now: number;
  readonly secretHash: string;
  readonly expiresAt: number;
  readonly createdBy: string;
}

/** `userId` is the user whose registration the invite pays for, in the same transaction. */
export interface UseInvite {
  readonly type: 'UseInvite';
  readonly now: number;
  readonly secretHash: string;
  readonly userId: string;
}

/** A registration with the invite met an address that is taken. */
export interface TryInvite {
  readonly type: 'TryInvite';
  readonly now: number;
  readonly secretHash: string;
}

export type InviteCommand = CreateInvite | TryInvite | UseInvite;

/**
 * Throws `conflict` (it exists) and `forbidden`, which does not tell a wrong code from a used, an
 * expired or a tried one. A try is recorded and refused as `conflict`; after `inviteTriesMax` the
 * invite is good for nothing, so it tells of no more addresses than that whether they are known.
 */
export const inviteDecider: Decider<InviteState, InviteCommand, InviteEvent> = {
  initialState: initialInvite,
  evolve: evolveInvite,
  decide: decideInvite,
};

function decideInvite(state: InviteState, command: InviteCommand): Decision<InviteEvent> {
  switch (command.type) {
    case 'CreateInvite':
      return create(state, command);
    case 'TryInvite':
      return tryOnce(state, command);
    case 'UseInvite':
      return use(state, command);
  }
}

function create(state: InviteState, command: CreateInvite): Decision<InviteEvent> {
  const { now, secretHash, expiresAt, createdBy } = command;
  if (state.status !== 'none') throw new LatchkeyError('conflict');
  if (expiresAt <= now) throw new Error('an invite expires after it was made');
  return accept({ type: 'InviteCreated', data: { at: now, secretHash, expiresAt, createdBy } });
}

/** Throws `forbidden` unless the invite is good for a registration at this moment. */
export function requireGoodInvite(state: InviteState, now: number, secretHash: string): void {
  const problem = whyNot(state, now, secretHash);
  if (problem !== null) throw new LatchkeyError('forbidden', { detail: `invite: ${problem}` });
}

function tryOnce(state: InviteState, { now, secretHash }: TryInvite): Decision<InviteEvent> {
  requireGoodInvite(state, now, secretHash);
  return refuse('conflict', { type: 'InviteTried', data: { at: now } });
}

function use(state: InviteState, { now, secretHash, userId }: UseInvite): Decision<InviteEvent> {
  requireGoodInvite(state, now, secretHash);
  return accept({ type: 'InviteUsed', data: { at: now, userId } });
}

function whyNot(state: InviteState, now: number, secretHash: string): string | null {
  if (state.status === 'none') return 'unknown';
  if (secretHash !== state.secretHash) return 'wrong secret';
  if (state.status === 'used') return 'used';
  if (state.tries >= limits.inviteTriesMax) return 'tried too often';
  return now >= state.expiresAt ? 'expired' : null;
}
