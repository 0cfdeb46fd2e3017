import type { SigningAlgorithm } from '@latchkey/contract/signing-algorithm';
import type { DomainEvent } from '../kernel/event.ts';

/** `jwk` is the public part only. Times are epoch milliseconds. */
export type KeyGenerated = DomainEvent<
  'KeyGenerated',
  { at: number; kid: string; alg: SigningAlgorithm; jwk: { [member: string]: string } }
>;
export type KeyActivated = DomainEvent<'KeyActivated', { at: number; kid: string }>;
export type KeyRetired = DomainEvent<
  'KeyRetired',
  { at: number; kid: string; removeAfter: number }
>;
export type KeyRemoved = DomainEvent<'KeyRemoved', { at: number; kid: string }>;
export type KeyRevoked = DomainEvent<'KeyRevoked', { at: number; kid: string }>;

export type KeysetEvent = KeyGenerated | KeyActivated | KeyRetired | KeyRemoved | KeyRevoked;
