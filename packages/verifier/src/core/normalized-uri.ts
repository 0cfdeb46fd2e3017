const unreserved = /[A-Za-z0-9\-._~]/;

/**
 * An http or https URI without query and fragment in one spelling (RFC 3986 sections 6.2.2 and
 * 6.2.3): scheme and host in lower case, no default port, no dot segments, no percent-encoding of
 * what needs none. Null for any other text, and for one that names a user.
 */
export function normalizedUri(text: string): string | null {
  const url = URL.parse(text);
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:')) return null;
  if (url.username !== '' || url.password !== '') return null;
  return url.origin + url.pathname.replace(/%[0-9a-f]{2}/gi, plainest);
}

function plainest(encoded: string): string {
  const character = String.fromCharCode(Number.parseInt(encoded.slice(1), 16));
  return unreserved.test(character) ? character : encoded.toUpperCase();
}
