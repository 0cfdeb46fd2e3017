import { errorCodes } from '@latchkey/contract/error-code';
import { z } from 'zod';

export const problemSchema = z
  .looseObject({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    code: z.enum(errorCodes),
    request_id: z.string(),
    errors: z.array(z.strictObject({ path: z.string(), message: z.string() })).optional(),
    ended_at: z.iso.datetime().optional(),
    device_name: z.string().optional(),
    reasons: z.array(z.string()).optional(),
    max_age: z.int().optional(),
  })
  .meta({ id: 'Problem', description: 'RFC 9457; `code` is stable' });

export const oauthErrorSchema = z
  .strictObject({ error: z.string(), error_description: z.string().optional() })
  .meta({ id: 'OAuthError', description: 'RFC 6749 section 5.2' });
