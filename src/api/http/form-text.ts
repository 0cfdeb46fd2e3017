import { invalidField } from '../../domain/kernel/errors.ts';

/**
 * A name or a value of a query or a form, decoded. Raises `invalid_request` with `path` when it is
 * not UTF-8 in percent-encoding.
 */
export function formText(encoded: string, path: string): string {
  try {
    return decodeURIComponent(encoded.replaceAll('+', ' '));
  } catch {
    throw invalidField(path, 'is not UTF-8 in percent-encoding');
  }
}
