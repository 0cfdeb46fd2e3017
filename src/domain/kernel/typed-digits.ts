/**
 * A code of digits as a person has typed it, in its one spelling: without the spaces and hyphens that
 * apps show between groups, and with wide digits (U+FF10 to U+FF19) as plain ones.
 */
export function typedDigits(text: string): string {
  return text.normalize('NFKC').replace(/[\s-]/g, '');
}
