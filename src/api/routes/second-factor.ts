import { z } from 'zod';
import type { OwnProof } from '../../app/user/own-proof.ts';
import type { PresentedFactor } from '../../app/user/presented-factor.ts';
import { invalidField } from '../../domain/kernel/errors.ts';
import { limits } from '../../domain/kernel/limits.ts';
import { opaqueTexts } from '../http/opaque-texts.ts';
import { credential, text } from './schemas.ts';

/** The fields of a body that brings a second factor. */
export const factorFields = {
  totp: text(0, limits.loginStringCodePointsMax)
    .meta({ examples: ['123456'] })
    .register(opaqueTexts)
    .optional(),
  recovery_code: credential.optional(),
};

export const factorBody = z.strictObject(factorFields);

/** Of a call that takes the password as well. */
export const proofBody = z.strictObject({ ...factorFields, password: credential.optional() });

type Factor = z.output<typeof factorBody>;

/** The one that is given; null for none. Raises `invalid_request` for both. */
export function optionalFactor({ totp, recovery_code }: Factor): PresentedFactor | null {
  if (totp !== undefined && recovery_code !== undefined) {
    throw invalidField('recovery_code', 'excludes totp');
  }
  if (totp !== undefined) return { kind: 'totp', code: totp };
  return recovery_code === undefined ? null : { kind: 'recovery_code', code: recovery_code };
}

/** The one that is given; null for none. Raises `invalid_request` for several. */
export function optionalProof({ password, ...given }: z.output<typeof proofBody>): OwnProof | null {
  const factor = optionalFactor(given);
  if (password === undefined) return factor;
  if (factor !== null) throw invalidField('password', 'excludes totp and recovery_code');
  return { kind: 'password', password };
}
