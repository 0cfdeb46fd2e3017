import type { DomainEvent } from '../kernel/event.ts';

/**
 * `secretHash`: base64url SHA-256 of a 256-bit random secret, null for a public client. Times:
 * epoch milliseconds.
 */
export type ClientRegistered = DomainEvent<
  'ClientRegistered',
  {
    at: number;
    name: string;
    kind: 'confidential' | 'public';
    audiences: string[];
    scopes: string[];
    /** Ours: may log users in with their password and act for them below `/auth` and `/admin`. */
    firstParty: boolean;
    secretHash: string | null;
  }
>;
export type ClientSecretRotated = DomainEvent<
  'ClientSecretRotated',
  { at: number; secretHash: string }
>;
export type ClientDisabled = DomainEvent<'ClientDisabled', { at: number; epoch: number }>;

export type ClientEvent = ClientRegistered | ClientSecretRotated | ClientDisabled;
