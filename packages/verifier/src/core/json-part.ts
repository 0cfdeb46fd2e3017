import { parseJsonObject } from './access-token-claims.ts';
import { decodeCanonical } from './canonical-base64url.ts';

/** The JSON object that a part of a compact JWS holds; null for any other text. */
export function jsonPart(encoded: string): Record<string, unknown> | null {
  const text = decodeCanonical(encoded)?.toString('utf8');
  return text === undefined ? null : parseJsonObject(text);
}
