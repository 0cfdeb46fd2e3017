import type { IncomingMessage } from 'node:http';
import type { Config } from '../../node/config.ts';
import { invalidProof, type ProofRequest } from '../../node/dpop-proofs.ts';
import { isTrustedPeer, parseTrustedProxies } from '../../platform/client-address.ts';
import { proofOfRequest } from '../http/presented-token.ts';

/**
 * Reads what the request was that a gateway asks about: the one that its client has proved a key
 * for. A peer that is no trusted proxy, and a gateway that says nothing, ask for themselves, at the
 * issuer's address.
 */
export function originalRequestReader({
  http,
  tokens,
  deviceKeys,
}: Pick<Config, 'http' | 'tokens' | 'deviceKeys'>): (request: IncomingMessage) => ProofRequest {
  const trusted = parseTrustedProxies(http.trustedProxies);
  const family = deviceKeys.originalRequest;
  return (request) => {
    const { path, ...own } = proofOfRequest(request);
    const believed = family !== 'none' && isTrustedPeer(request.socket.remoteAddress, trusted);
    const original = believed ? readers[family](request) : null;
    if (original === null) return { ...own, uri: tokens.issuer + path };
    return { ...original, proof: own.proof };
  };
}

type Original = Omit<ProofRequest, 'proof'>;

/** Null where the gateway says nothing. Raises `invalid_dpop_proof` where it says only half of it. */
const readers = {
  'x-forwarded': (request: IncomingMessage): Original | null => {
    const [method, proto, host, uri] = ['method', 'proto', 'host', 'uri'].map((part) =>
      one(request, `x-forwarded-${part}`),
    );
    if (method === undefined && uri === undefined) return null;
    return complete(method, uri && proto && host && `${proto}://${host}${uri}`);
  },
  'x-original': (request: IncomingMessage): Original | null => {
    const [method, uri] = ['method', 'url'].map((part) => one(request, `x-original-${part}`));
    if (method === undefined && uri === undefined) return null;
    return complete(method, uri);
  },
} as const;

function complete(method: string | undefined, uri: string | undefined): Original {
  if (method && uri) return { method, uri };
  throw invalidProof('the gateway does not say for which request');
}

/** Node joins two headers of one name with a comma, which no part of a request that we check has. */
function one({ headers }: IncomingMessage, name: string): string | undefined {
  const value = headers[name];
  if (value === undefined) return undefined;
  if (typeof value === 'string' && !value.includes(', ')) return value;
  throw invalidProof('the gateway names the request twice');
}
