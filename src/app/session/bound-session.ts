import { LatchkeyError } from '../../domain/kernel/errors.ts';
import { isId } from '../../domain/kernel/ids.ts';
import {
  isGoodBoundCookie,
  makeBoundCookie,
  sessionChallenge,
} from '../../domain/session/bound-session-macs.ts';
import type { DeviceKey } from '../../domain/session/device-key.ts';
import type { Node } from '../../node/node.ts';
import { type DbscProof, parseDbscProof } from './dbsc-proof.ts';

const identifierPrefix = 'latchkey-';

/** What the browser calls the session: a token and a string of structured fields alike. */
export function sessionIdentifier(sessionId: string): string {
  return identifierPrefix + sessionId;
}

/** The session that a browser names, or null. */
export function sessionOfIdentifier(text: string): string | null {
  const id = text.startsWith(identifierPrefix) ? text.slice(identifierPrefix.length) : '';
  return isId(id) ? id : null;
}

type Needed = Pick<Node, 'config' | 'secrets' | 'now'>;

/** What a login asks the browser to sign with the key that it makes for the session. */
export function registrationChallenge(node: Needed, sessionId: string): string {
  const at = { purpose: 'registration', now: node.now() } as const;
  return sessionChallenge(node.secrets.boundSessionKey, sessionId, at);
}

/** A bound cookie, good from now, and the challenge that the next proof may sign. */
export interface FreshBinding {
  readonly sessionId: string;
  readonly boundCookie: string;
  readonly boundCookieSeconds: number;
  readonly challenge: string;
}

/** What a good proof of `jkt` is answered. */
export function freshBinding(node: Needed, sessionId: string, jkt: string): FreshBinding {
  const { boundSessionKey } = node.secrets;
  const { boundCookieSeconds } = node.config.browser;
  const now = node.now();
  const expiresAt = now + boundCookieSeconds * 1000;
  return {
    sessionId,
    boundCookie: makeBoundCookie(boundSessionKey, { sessionId, jkt }, expiresAt),
    boundCookieSeconds,
    challenge: sessionChallenge(boundSessionKey, sessionId, { purpose: 'refresh', now }),
  };
}

/** Whether the bound cookie of a request proves the key of its session (kind `dbsc`). */
export function isProvenByCookie(
  node: Needed,
  sessionId: string,
  { deviceKey, boundCookie }: { deviceKey: DeviceKey | null; boundCookie: string | null },
): boolean {
  if (deviceKey?.kind !== 'dbsc' || boundCookie === null) return false;
  const to = { sessionId, jkt: deviceKey.jkt };
  const presented = { value: boundCookie, now: node.now() };
  return isGoodBoundCookie(node.secrets.boundSessionKey, to, presented);
}

/**
 * A proof that is well-formed and was made for us and this session, as far as it says. Raises
 * `invalid_device_proof`.
 */
export function readProof(node: Needed, sessionId: string, text: string | null): DbscProof {
  const proof = text === null ? null : parseDbscProof(text);
  if (proof === null) throw invalidDeviceProof('malformed');
  const { audience, subject } = proof;
  const { origin } = new URL(node.config.tokens.issuer);
  if (audience !== null && URL.parse(audience)?.origin !== origin)
    throw invalidDeviceProof('audience');
  if (subject !== null && subject !== sessionIdentifier(sessionId))
    throw invalidDeviceProof('subject');
  return proof;
}

/** `what` goes to the log. */
export function invalidDeviceProof(what: string): LatchkeyError {
  return new LatchkeyError('invalid_device_proof', { detail: `proof of the device: ${what}` });
}
