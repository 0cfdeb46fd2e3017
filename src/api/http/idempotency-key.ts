import type { IncomingHttpHeaders } from 'node:http';
import { invalidField } from '../../domain/kernel/errors.ts';
import { limits } from '../../domain/kernel/limits.ts';

/**
 * The Idempotency-Key header, or null. Raises `invalid_request` unless it is 1 to 255 visible ASCII
 * characters.
 */
export function idempotencyKey(headers: IncomingHttpHeaders): string | null {
  const key = headers['idempotency-key'];
  if (key === undefined) return null;
  const fits = typeof key === 'string' && key.length <= limits.idempotencyKeyCharactersMax;
  if (fits && /^[\x21-\x7e]+$/.test(key)) return key;
  throw invalidField('Idempotency-Key', 'must be 1 to 255 visible ASCII characters');
}
