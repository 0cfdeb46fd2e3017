import { z } from 'zod';
import { countedLoginName, type LoginName } from '../../app/user/find-user-by-login.ts';
import { invalidField } from '../../domain/kernel/errors.ts';
import { limits } from '../../domain/kernel/limits.ts';
import type { Node } from '../../node/node.ts';
import { type OtpRequestNamed, openOtpHandle } from '../../platform/crypto/otp-handle.ts';
import { opaqueTexts } from '../http/opaque-texts.ts';
import { credential, deviceSchema, text } from './schemas.ts';

const anything = text(0, limits.loginStringCodePointsMax);
const audience = z.string().max(2048);

/** One schema for all forms, so that its page lists each field once; `credentialsOf` tells them apart. */
export const loginBody = z.strictObject({
  email: credential.optional(),
  username: credential.optional(),
  password: credential.optional(),
  request_id: text(0, limits.loginStringCodePointsMax)
    .meta({ description: 'What the request for the code was answered' })
    .register(opaqueTexts)
    .optional(),
  otp: credential.optional(),
  device: deviceSchema.optional(),
  transport: z.enum(['body', 'cookie']).optional(),
  client_id: z.string().max(200).optional(),
  client_secret: z.string().max(200).optional(),
  audience: z
    .union([audience, z.array(audience).min(1).max(limits.audiencesPerClientMax)])
    .optional(),
  device_token: anything.optional(),
});

type LoginBody = z.output<typeof loginBody>;

interface ByPassword extends LoginName {
  readonly kind: 'password';
  readonly password: string;
}

/** `asked`: null where the handle is none of ours. */
interface ByCode {
  readonly kind: 'code';
  readonly asked: OtpRequestNamed | null;
  readonly code: string;
}

export type LoginCredentials = ByPassword | ByCode;

/** What tells one form of a login from the others. */
const firstFields = ['email', 'username', 'request_id'] as const;

/** What the body proves. Raises `invalid_request` unless it is exactly one of the forms of a login. */
export function credentialsOf(node: Node, body: LoginBody): LoginCredentials {
  const { email, username, request_id: handle } = body;
  const given = firstFields.filter((field) => body[field] !== undefined);
  const [form, excluded] = given;
  if (form === undefined) throw invalidField('email', 'is required');
  if (excluded !== undefined) throw invalidField(excluded, `excludes ${form}`);
  if (handle !== undefined) {
    const code = required(body, 'otp', 'password');
    return { kind: 'code', asked: openOtpHandle(node.secrets.otpHandleKey, handle), code };
  }
  if (username !== undefined && !node.config.usernames.enabled) {
    throw invalidField('username', 'user names are off');
  }
  return { kind: 'password', email, username, password: required(body, 'password', 'otp') };
}

function required(body: LoginBody, field: 'password' | 'otp', other: 'password' | 'otp'): string {
  const value = body[field];
  if (value === undefined) throw invalidField(field, 'is required');
  if (body[other] !== undefined) throw invalidField(other, `excludes ${field}`);
  return value;
}

/** Whose tries are counted together, beside those of their address. */
export function nameOf(credentials: LoginCredentials): string {
  // One name for all handles of an address, known or not, and one for all that are none.
  if (credentials.kind === 'code') return credentials.asked?.userId ?? '';
  return countedLoginName(credentials);
}
