import type { InviteEvent } from './events.ts';

/** The folded invite, which is also its row. That an open one has expired only the clock says. */
export interface InviteState {
  readonly status: 'none' | 'open' | 'used';
  readonly secretHash: string;
  readonly createdBy: string;
  readonly createdAt: number;
  readonly expiresAt: number;
  /** Registrations that met a taken address. */
  readonly tries: number;
  readonly usedAt: number | null;
  readonly usedBy: string | null;
}

export const initialInvite: InviteState = {
  status: 'none',
  secretHash: '',
  createdBy: '',
  createdAt: 0,
  expiresAt: 0,
  tries: 0,
  usedAt: null,
  usedBy: null,
};

export function evolveInvite(state: InviteState, event: InviteEvent): InviteState {
  switch (event.type) {
    case 'InviteCreated':
      return {
        ...initialInvite,
        status: 'open',
        secretHash: event.data.secretHash,
        createdBy: event.data.createdBy,
        createdAt: event.data.at,
        expiresAt: event.data.expiresAt,
      };
    case 'InviteTried':
      return { ...state, tries: state.tries + 1 };
    case 'InviteUsed':
      return { ...state, status: 'used', usedAt: event.data.at, usedBy: event.data.userId };
  }
}
