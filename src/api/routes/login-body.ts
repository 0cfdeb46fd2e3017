import { z } from 'zod';
import { openLogin, type SealedLogin } from '../../app/session/sealed-login.ts';
import { countedLoginName, type LoginName } from '../../app/user/find-user-by-login.ts';
import type { PresentedFactor } from '../../app/user/presented-factor.ts';
import { invalidField } from '../../domain/kernel/errors.ts';
import { limits } from '../../domain/kernel/limits.ts';
import type { Node } from '../../node/node.ts';
import { type OtpRequestNamed, openOtpHandle } from '../../platform/crypto/otp-handle.ts';
import { opaqueTexts } from '../http/opaque-texts.ts';
import { credential, deviceSchema, text } from './schemas.ts';
import { factorFields, optionalFactor } from './second-factor.ts';

const anything = text(0, limits.loginStringCodePointsMax);
const audience = z.string().max(2048);
const challengeCharactersMax = 8192;

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
  challenge: z.string().max(challengeCharactersMax).register(opaqueTexts).optional(),
  ...factorFields,
  device: deviceSchema.optional(),
  transport: z.enum(['body', 'cookie']).optional(),
  client_id: z.string().max(200).optional(),
  client_secret: z.string().max(200).optional(),
  audience: z
    .union([audience, z.array(audience).min(1).max(limits.audiencesPerClientMax)])
    .optional(),
  device_token: anything.optional(),
});

export type LoginBody = z.output<typeof loginBody>;

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

/** The second factor of `begun`, the login whose challenge came; null where it is none of ours. */
interface BySecondFactor {
  readonly kind: 'second_factor';
  readonly begun: SealedLogin | null;
  readonly factor: PresentedFactor;
}

export type LoginCredentials = ByPassword | ByCode | BySecondFactor;

/** What tells one form of a login from the others. */
const firstFields = ['email', 'username', 'request_id', 'challenge'] as const;

/** A login as its body has it: nothing that Latchkey has sealed is opened yet. */
type LoginForm =
  | ByPassword
  | { readonly kind: 'code'; readonly handle: string; readonly code: string }
  | {
      readonly kind: 'second_factor';
      readonly challenge: string;
      readonly factor: PresentedFactor;
    };

/** Raises `invalid_request` unless the body is exactly one of the forms of a login. */
export function loginForm({ config }: Pick<Node, 'config'>, body: LoginBody): LoginForm {
  const { email, username, request_id: handle, challenge, totp, recovery_code } = body;
  const [form, excluded] = firstFields.filter((field) => body[field] !== undefined);
  const factor = optionalFactor({ totp, recovery_code });
  if (form === undefined) throw invalidField('email', 'is required');
  if (excluded !== undefined) throw invalidField(excluded, `excludes ${form}`);
  if (challenge !== undefined) {
    for (const field of ['password', 'otp'] as const) refuseBeside('challenge', body, field);
    if (factor === null) throw invalidField('totp', 'or recovery_code is required');
    return { kind: 'second_factor', challenge, factor };
  }
  if (factor !== null) throw invalidField('challenge', 'is required with a second factor');
  if (handle !== undefined) {
    return { kind: 'code', handle, code: required(body, 'otp', 'password') };
  }
  if (username !== undefined && !config.usernames.enabled) {
    throw invalidField('username', 'user names are off');
  }
  return { kind: 'password', email, username, password: required(body, 'password', 'otp') };
}

/** What the body proves. Raises as `loginForm`. */
export function credentialsOf(node: Node, body: LoginBody): LoginCredentials {
  const form = loginForm(node, body);
  const { loginChallengeKey, otpHandleKey } = node.secrets;
  switch (form.kind) {
    case 'password':
      return form;
    case 'code':
      return { kind: 'code', asked: openOtpHandle(otpHandleKey, form.handle), code: form.code };
    case 'second_factor': {
      const begun = openLogin(loginChallengeKey, form.challenge);
      return { kind: 'second_factor', begun, factor: form.factor };
    }
  }
}

type Secret = 'password' | 'otp';

function required(body: LoginBody, field: Secret, other: Secret): string {
  const value = body[field];
  if (value === undefined) throw invalidField(field, 'is required');
  refuseBeside(field, body, other);
  return value;
}

function refuseBeside(field: Secret | 'challenge', body: LoginBody, other: Secret): void {
  if (body[other] !== undefined) throw invalidField(other, `excludes ${field}`);
}

/** Whose tries are counted together, beside those of their address. */
export function nameOf(credentials: LoginCredentials): string {
  // One name for all handles of a user, and one for all that are none of ours. Challenges alike.
  if (credentials.kind === 'code') return credentials.asked?.userId ?? '';
  if (credentials.kind === 'second_factor') return credentials.begun?.userId ?? '';
  return countedLoginName(credentials);
}
