import type { DomainEvent } from '../kernel/event.ts';
import type { Signing } from '../session/session-key.ts';
import type { CustomClaims } from './custom-claims.ts';

/** An administrator registered the client. */
export type ClientRegistered = DomainEvent<
  'ClientRegistered',
  {
    at: number;
    /** What people call it. */
    name: string;
    /** Whether it can keep a secret. */
    kind: 'confidential' | 'public';
    /** What it may request tokens for, and may introspect. */
    audiences: string[];
    /** What it may be granted. */
    scopes: string[];
    /**
     * Whether it is the operator's own: it may log users in with their password, and its tokens
     * act for them below `/auth` and `/admin`.
     */
    firstParty: boolean;
    /** Hash of its secret; null for a public client. */
    secretHash: string | null;
    /**
     * How long the previous refresh token of its unbound sessions still yields the same successor;
     * absent where `REFRESH_GRACE_SECONDS` says so.
     */
    refreshGraceSeconds?: number;
    /**
     * Whose key signs the tokens of its sessions; absent: what is configured for the type of the
     * device.
     */
    signing?: Signing;
    /** What stands in each of its access tokens besides; absent: nothing. */
    claims?: CustomClaims;
  }
>;

/** The client has a new secret. The one before stays good, older ones do not: two live at most. */
export type ClientSecretRotated = DomainEvent<
  'ClientSecretRotated',
  {
    at: number;
    /** Hash of the new secret. */
    secretHash: string;
  }
>;

/** An administrator ended the older of two secrets early. */
export type ClientSecretEnded = DomainEvent<'ClientSecretEnded', { at: number }>;

/** An administrator ended all access tokens of the client. Its secrets and sessions live on. */
export type ClientEpochRaised = DomainEvent<
  'ClientEpochRaised',
  {
    at: number;
    /** The client's new epoch. */
    epoch: number;
  }
>;

/** An administrator disabled the client. Its tokens with a lower epoch are refused. */
export type ClientDisabled = DomainEvent<
  'ClientDisabled',
  {
    at: number;
    /** The client's new epoch. */
    epoch: number;
  }
>;

/** The stream id is the client id. Each event also tells every node to read the clients again. */
export type ClientEvent =
  | ClientRegistered
  | ClientSecretRotated
  | ClientSecretEnded
  | ClientEpochRaised
  | ClientDisabled;
