import type { SigningAlgorithm } from '@latchkey/contract/signing-algorithm';
import type { DomainEvent } from '../kernel/event.ts';

/** The key. */
type Kid = string;

/** The key is published and does not sign yet. Its private part is in `key_secrets`, wrapped. */
export type KeyGenerated = DomainEvent<
  'KeyGenerated',
  {
    at: number;
    /** RFC 7638 thumbprint of the public key. */
    kid: Kid;
    /** What it signs with. */
    alg: SigningAlgorithm;
    /** The public members of the key, no others. */
    jwk: { [member: string]: string };
  }
>;

/** The key signs from now on. */
export type KeyActivated = DomainEvent<'KeyActivated', { at: number; kid: Kid }>;

/** The key still verifies, and signs no more. */
export type KeyRetired = DomainEvent<
  'KeyRetired',
  {
    at: number;
    kid: Kid;
    /** When the last token that it signed has expired. */
    removeAfter: number;
  }
>;

/** The key has left the JWKS. */
export type KeyRemoved = DomainEvent<'KeyRemoved', { at: number; kid: Kid }>;

/** Every token that the key signed is refused at once. */
export type KeyRevoked = DomainEvent<'KeyRevoked', { at: number; kid: Kid }>;

/**
 * There is one stream, the issuer's keyset. Each event tells every node to read the keyset again.
 */
export type KeysetEvent = KeyGenerated | KeyActivated | KeyRetired | KeyRemoved | KeyRevoked;
