import type { IncomingMessage } from 'node:http';
import { invalidField, LatchkeyError } from '../../domain/kernel/errors.ts';
import { hasTwoAuthorizations } from './presented-token.ts';

/**
 * What a client presented; `clientSecret` is null for one that only names itself (a public client).
 */
export interface ClientCredentials {
  readonly clientId: string;
  readonly clientSecret: string | null;
}

/**
 * Client credentials from HTTP Basic or from the form (RFC 6749 section 2.3.1). Both at once, and
 * two headers, raise `invalid_request`; neither, or a malformed header, raises `invalid_client`.
 */
export function clientCredentials(
  request: Pick<IncomingMessage, 'headers' | 'rawHeaders'>,
  form: Readonly<Record<string, string>>,
): ClientCredentials {
  const header = basicHeader(request.headers.authorization);
  if (hasTwoAuthorizations(request)) {
    throw invalidField('authorization', 'given more than once');
  }
  const inForm = form.client_id;
  const secretInForm = form.client_secret;
  if (header === undefined) {
    if (inForm === undefined) throw new LatchkeyError('invalid_client');
    return { clientId: inForm, clientSecret: secretInForm ?? null };
  }
  const basic = parseBasic(header);
  if (secretInForm !== undefined || (inForm !== undefined && inForm !== basic.clientId)) {
    throw invalidField('client_secret', 'two ways of client authentication at once');
  }
  return basic;
}

/** Another scheme, such as the bearer that an interceptor adds, is no client authentication. */
function basicHeader(authorization: string | undefined): string | undefined {
  return authorization !== undefined && /^basic(?: |$)/i.test(authorization)
    ? authorization
    : undefined;
}

function parseBasic(header: string): ClientCredentials {
  const encoded = /^Basic +([A-Za-z0-9+/]+={0,2})$/i.exec(header)?.[1];
  const decoded = encoded === undefined ? '' : Buffer.from(encoded, 'base64').toString('utf8');
  const colon = decoded.indexOf(':');
  if (colon < 1 || decoded.includes('\0')) throw new LatchkeyError('invalid_client');
  try {
    return {
      clientId: formDecoded(decoded.slice(0, colon)),
      // RFC 6749 section 2.3.1: an empty secret may as well be left out.
      clientSecret: formDecoded(decoded.slice(colon + 1)) || null,
    };
  } catch {
    throw new LatchkeyError('invalid_client');
  }
}

function formDecoded(text: string): string {
  return decodeURIComponent(text.replaceAll('+', ' '));
}
