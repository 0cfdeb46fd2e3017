/**
 * RFC 4648 section 5 without padding, in its one spelling: what decodes must encode to the same
 * text again. Null for any other text, and for none.
 */
export function decodeCanonical(part: string): Buffer | null {
  const bytes = Buffer.from(part, 'base64url');
  return bytes.length > 0 && bytes.toString('base64url') === part ? bytes : null;
}
