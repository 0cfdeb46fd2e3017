import { invalidField } from '../domain/kernel/errors.ts';
import { isId } from '../domain/kernel/ids.ts';

/** The last row of a page: its time in epoch milliseconds, and the id that orders equal times. */
export interface PageCursor {
  readonly at: number;
  readonly id: string;
}

/** Postgres and RFC 3339 both end here. */
const atMax = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

export function encodeCursor({ at, id }: PageCursor): string {
  return Buffer.from(`${at}.${id}`, 'utf8').toString('base64url');
}

/**
 * Raises `invalid_request` for any text but the one spelling that we hand out, so nothing that a
 * column could not hold reaches a statement.
 */
export function decodeCursor(text: string): PageCursor {
  const [, digits, id] = /^(\d{1,15})\.(.+)$/.exec(Buffer.from(text, 'base64url').toString()) ?? [];
  const cursor = { at: Number(digits), id: id ?? '' };
  if (isId(cursor.id) && cursor.at <= atMax && encodeCursor(cursor) === text) return cursor;
  throw invalidField('cursor', 'not a cursor of this list');
}
