import type { IncomingMessage } from 'node:http';
import { LatchkeyError } from '../domain/kernel/errors.ts';
import { hasTwoAuthorizations } from './bearer.ts';

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
  const header = request.headers.authorization;
  if (hasTwoAuthorizations(request)) {
    throw new LatchkeyError('invalid_request', {
      errors: [{ path: 'authorization', message: 'given more than once' }],
    });
  }
  const inForm = form.client_id;
  const secretInForm = form.client_secret;
  if (header === undefined) {
    if (inForm === undefined) throw new LatchkeyError('invalid_client');
    return { clientId: inForm, clientSecret: secretInForm ?? null };
  }
  const basic = parseBasic(header);
  if (secretInForm !== undefined || (inForm !== undefined && inForm !== basic.clientId)) {
    throw new LatchkeyError('invalid_request', {
      errors: [{ path: 'client_secret', message: 'two ways of client authentication at once' }],
    });
  }
  return basic;
}

function parseBasic(header: string): ClientCredentials {
  const encoded = /^Basic +([A-Za-z0-9+/]+={0,2})$/i.exec(header)?.[1];
  const decoded = encoded === undefined ? '' : Buffer.from(encoded, 'base64').toString('utf8');
  const colon = decoded.indexOf(':');
  if (colon < 1 || decoded.includes('\0')) throw new LatchkeyError('invalid_client');
  try {
    return {
      clientId: formDecoded(decoded.slice(0, colon)),
      clientSecret: formDecoded(decoded.slice(colon + 1)),
    };
  } catch {
    throw new LatchkeyError('invalid_client');
  }
}

function formDecoded(text: string): string {
  return decodeURIComponent(text.replaceAll('+', ' '));
}
