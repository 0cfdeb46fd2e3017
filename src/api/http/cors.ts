import type { IncomingHttpHeaders } from 'node:http';

const methods = 'GET, POST, PUT, PATCH, DELETE';
const requestHeaders = 'authorization, content-type, dpop, idempotency-key, x-request-id';
const exposedHeaders = 'dpop-nonce, retry-after, www-authenticate, x-request-id';
const preflightMaxAgeSeconds = 600;

/**
 * `public`: anybody's page may read it, without credentials (key sets, discovery). `listed`: only
 * our origins.
 */
export type CorsMode = 'public' | 'listed';

/** Whether this is a preflight (Fetch standard, CORS-preflight request). */
export function isPreflight(method: string | undefined, headers: IncomingHttpHeaders): boolean {
  return (
    method === 'OPTIONS' &&
    headers.origin !== undefined &&
    headers['access-control-request-method'] !== undefined
  );
}

/** CORS headers of an answer. The allowed origin is the configured string, never the request's. */
export function corsHeaders(
  mode: CorsMode,
  headers: IncomingHttpHeaders,
  allowedOrigins: readonly string[],
  preflight: boolean,
): Record<string, string> {
  if (mode === 'public') {
    return { 'access-control-allow-origin': '*', ...(preflight ? preflightHeaders() : {}) };
  }
  const origin = allowedOrigins.find((allowed) => allowed === headers.origin);
  if (origin === undefined) return { vary: 'Origin' };
  return {
    vary: 'Origin',
    'access-control-allow-origin': origin,
    'access-control-allow-credentials': 'true',
    ...(preflight ? preflightHeaders() : { 'access-control-expose-headers': exposedHeaders }),
  };
}

function preflightHeaders(): Record<string, string> {
  return {
    'access-control-allow-methods': methods,
    'access-control-allow-headers': requestHeaders,
    'access-control-max-age': String(preflightMaxAgeSeconds),
  };
}
