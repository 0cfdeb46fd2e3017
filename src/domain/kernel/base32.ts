const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
/** Digits that the alphabet lacks, as the letters that people take them for. */
const misread: Readonly<Record<string, string>> = { '0': 'O', '1': 'I', '8': 'B' };

/** RFC 4648 section 6, without padding. */
export function base32(bytes: Uint8Array): string {
  let text = '';
  let bits = 0;
  let value = 0;
  for (const byte of bytes) {
    value = (value << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += alphabet[(value >>> bits) & 31];
    }
    value &= (1 << bits) - 1;
  }
  return bits === 0 ? text : text + alphabet[(value << (5 - bits)) & 31];
}

/**
 * Base32 as a person has typed it, in its one spelling: capitals, no spaces and hyphens, and no
 * digit that the alphabet lacks. Says nothing of whether it is base32.
 */
export function typedBase32(text: string): string {
  const plain = text.toUpperCase().replace(/[\s-]/g, '');
  return plain.replace(/[018]/g, (digit) => misread[digit]!);
}
