/** Controls, bidirectional overrides, line separators and other characters that nobody sees. */
const unseen = /[\p{C}\p{Z}]+/u;
/** What mail programs turn into a link: a scheme, `www.`, a domain, an address. */
const linkLike = /:\/\/|^www\.|@|\p{L}[\p{L}\p{N}-]*\.\p{L}{2,}/iu;
const charactersMax = 80;

/**
 * Text that somebody else chose, as it may stand in a mail: one line without links and control
 * characters, at most 80 characters. Empty where nothing is left.
 */
export function oneLine(text: string): string {
  const words = text
    .slice(0, 4 * charactersMax)
    .split(unseen)
    .filter((word) => word !== '' && !linkLike.test(word));
  return [...words.join(' ')].slice(0, charactersMax).join('').trim();
}
