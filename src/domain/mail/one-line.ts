/** Controls, bidirectional overrides, line separators and other characters that nobody sees. */
const unseen = /[\p{C}\p{Zl}\p{Zp}]+/gu;
/** What mail programs turn into a link: a scheme, `www.`, a domain, an address. */
const linkLike = /\S*(?::\/\/|\bwww\.|@|\p{L}[\p{L}\p{N}-]*\.\p{L}{2,})\S*/giu;
const charactersMax = 80;

/**
 * Text that somebody else chose, as it may stand in a mail: one line without links and control
 * characters, at most 80 characters. Empty where nothing is left.
 */
export function oneLine(text: string): string {
  const words = text.replace(unseen, ' ').replace(linkLike, '').replace(/\s+/g, ' ').trim();
  return [...words].slice(0, charactersMax).join('').trim();
}
