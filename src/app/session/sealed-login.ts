import type { KeyObject } from 'node:crypto';
import type { DeviceType } from '@latchkey/contract/device-type';
import type { LoginChallenge } from '../../domain/user/login-challenges.ts';
import { openText, sealText } from '../../platform/crypto/sealed-text.ts';
import type { LoginRequest } from './login-request.ts';

const prefix = 'lkc_';

/** A login between its first and its second factor. Nobody keeps it: the client brings it back. */
export interface SealedLogin {
  readonly userId: string;
  readonly challenge: LoginChallenge;
  /** What the first factor was. */
  readonly amr: readonly string[];
  readonly clientId: string | null;
  readonly audience: readonly string[];
  readonly deviceType: DeviceType;
  readonly deviceName: string;
  /** Of the device token that came with the first factor. */
  readonly deviceId: string | null;
  readonly transport: 'body' | 'cookie';
  /** Thumbprint of the key that the first request has proved. */
  readonly jkt: string | null;
  /**
   * A better hash of the password that was right, to be written once the login succeeds. Who holds
   * the challenge knows that password.
   */
  readonly rehashed: string | null;
}

/** The opaque `challenge` of the HTTP contract. */
export function sealLogin(key: KeyObject, login: SealedLogin): string {
  return prefix + sealText(key, JSON.stringify(login));
}

/** null for any text that no node of this installation has sealed as a login. */
export function openLogin(key: KeyObject, text: string): SealedLogin | null {
  const opened = text.startsWith(prefix) ? openText(key, text.slice(prefix.length)) : null;
  return opened === null ? null : (JSON.parse(opened) as SealedLogin);
}

/**
 * Whether the request that brings the second factor asks for the very session that the first one
 * asked for. The device's name is left out: that of the first counts.
 */
export function asksForTheSame(
  login: SealedLogin,
  request: LoginRequest,
  audience: readonly string[],
): boolean {
  return (
    login.clientId === request.clientId &&
    JSON.stringify(login.audience) === JSON.stringify(audience) &&
    login.deviceType === request.device.type &&
    login.transport === request.transport &&
    login.jkt === (request.key?.jkt ?? null)
  );
}
