import { domainToASCII, domainToUnicode } from 'node:url';

/** RFC 5321 section 4.5.3.1 (path: 256 with its brackets) and RFC 1035: octets of UTF-8. */
const octetsMax = { address: 254, local: 64, domain: 253, label: 63 } as const;

/** RFC 5321 dot-atoms and, beyond ASCII, RFC 6531; no quoted strings, no address literals. */
const localPart = /^[\p{L}\p{N}\p{M}\p{S}!#%&'*/?_{}.-]+$/u;
/** What ends an address in a header, what nobody sees, and marks that join what precedes them. */
const refusedInLocalPart =
  /[<>\u{2800}\u{fffc}\u{fffd}]|\p{Default_Ignorable_Code_Point}|(?:^|\.)\p{M}/u;
/** Letters, digits and the dots of UTS 46, before the mapping: no percent signs, no ports. */
const domainText = /^[\p{L}\p{N}\p{M}.\u3002\uff0e\uff61-]+$/u;
const invisible = /\p{Default_Ignorable_Code_Point}/u;
const asciiLabel = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/;
/** A host whose last label is a number is an IPv4 address (WHATWG URL, "ends in a number"). */
const numericLabel = /^(?:\d+|0x[0-9a-f]*)$/;

export interface EmailAddress {
  /** What is stored and written to: as typed, the local part in NFC, the domain in Unicode. */
  readonly address: string;
  /**
   * What is compared: every spelling of one mailbox has the same key. The local part in full case
   * folding, the domain as UTS 46 maps it, in ASCII. Never shown.
   */
  readonly key: string;
}

/**
 * The one reading of an e-mail address: registering, login, search, limits, the configuration and
 * the command line all come through here. ASCII spaces around the text are dropped. null for a
 * text that is no address, is longer than RFC 5321 allows, or holds an invisible character.
 * `parseEmail(address).key` is `key` again, so a projection can be made anew from what is stored.
 */
export function parseEmail(text: string): EmailAddress | null {
  if (text.length > 4 * octetsMax.address) return null;
  const [local, domain, ...rest] = text
    .replace(/^ +| +$/g, '')
    .normalize('NFC')
    .split('@');
  if (local === undefined || domain === undefined || rest.length > 0) return null;
  if (!isLocalPart(local)) return null;
  const ascii = asciiDomain(domain);
  if (ascii === null) return null;
  const unicode = domainToUnicode(ascii);
  if (!isStable(ascii, unicode)) return null;
  const address = `${local}@${unicode}`;
  if (octets(address) > octetsMax.address) return null;
  if (octets(`${local}@${ascii}`) > octetsMax.address) return null;
  return { address, key: `${foldCase(local)}@${ascii}` };
}

/**
 * The key of an address, and of any other text the text itself: what a limit counts by, so that
 * another spelling of one address is no other count.
 */
export function identifierKey(text: string): string {
  return parseEmail(text)?.key ?? text.normalize('NFC').trim().toLowerCase();
}

function isLocalPart(local: string): boolean {
  if (octets(local) > octetsMax.local) return false;
  if (!localPart.test(local) || refusedInLocalPart.test(local)) return false;
  return !`.${local}.`.includes('..');
}

/** As UTS 46 maps it, non-transitional; null for what no host can be called. */
function asciiDomain(domain: string): string | null {
  if (!domainText.test(domain) || invisible.test(domain)) return null;
  const ascii = domainToASCII(domain);
  if (!fitsDomain(ascii)) return null;
  const labels = ascii.split('.');
  if (!labels.every((label) => asciiLabel.test(label))) return null;
  return numericLabel.test(labels.at(-1)!) ? null : ascii;
}

/**
 * Whether the Unicode form, which is stored, is one that we take, and means the same domain. An
 * A-label that is left in it has decoded to nothing.
 */
function isStable(ascii: string, unicode: string): boolean {
  if (/(?:^|\.)xn--/.test(unicode)) return false;
  return fitsDomain(unicode) && asciiDomain(unicode) === ascii;
}

function fitsDomain(domain: string): boolean {
  if (octets(domain) > octetsMax.domain) return false;
  return domain.split('.').every((label) => octets(label) <= octetsMax.label);
}

/**
 * Full case folding (Unicode 3.13, D145), each code point by itself: the whole text in one go would
 * make a final sigma another letter. Dotless i has a capital in common with i, and folds to itself.
 */
function foldCase(text: string): string {
  let folded = '';
  for (const char of text.normalize('NFD')) {
    folded += char === 'ı' ? char : char.toLowerCase().toUpperCase().toLowerCase();
  }
  return folded.normalize('NFC');
}

function octets(text: string): number {
  return Buffer.byteLength(text, 'utf8');
}
