import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Config } from '../../node/config.ts';
import { invalidDpopProof, type ProofRequest } from '../../node/dpop-proofs.ts';
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
  const believed = new WeakMap<Socket, boolean>();
  const isBelieved = (socket: Socket) => {
    let known = believed.get(socket);
    if (known === undefined) {
      known = isTrustedPeer(socket.remoteAddress, trusted);
      believed.set(socket, known);
    }
    return known;
  };
  return (request) => {
    const { path, ...own } = proofOfRequest(request);
    const original =
      family !== 'none' && isBelieved(request.socket) ? readers[family](request) : null;
    if (original === null) return { ...own, uri: tokens.issuer + path };
    return { ...original, proof: own.proof };
  };
}

type Original = Omit<ProofRequest, 'proof'>;

/** Null where the gateway says nothing. Raises `invalid_dpop_proof` where it says only half of it. */
const readers = {
  'x-forwarded': (request: IncomingMessage): Original | null => {
    const method = one(request, 'x-forwarded-method');
    const uri = withoutQuery(one(request, 'x-forwarded-uri'));
    const proto = one(request, 'x-forwarded-proto');
    const host = one(request, 'x-forwarded-host');
    if (method === undefined && uri === undefined) return null;
    return complete(method, uri && proto && host && `${proto}://${host}${uri}`);
  },
  'x-original': (request: IncomingMessage): Original | null => {
    const method = one(request, 'x-original-method');
    const uri = withoutQuery(one(request, 'x-original-url'));
    if (method === undefined && uri === undefined) return null;
    return complete(method, uri);
  },
} as const;

function complete(method: string | undefined, uri: string | undefined): Original {
  if (method && uri) return { method, uri };
  throw invalidDpopProof('the gateway does not say for which request');
}

/** A proof names no query, however long the one of the request is (RFC 9449 section 4.2). */
function withoutQuery(uri: string | undefined): string | undefined {
  return uri?.split('?', 1)[0];
}

/** Node joins two headers of one name with a comma, which no part of a request that we check has. */
function one({ headers }: IncomingMessage, name: string): string | undefined {
  const value = headers[name];
  if (value === undefined) return undefined;
  if (typeof value === 'string' && !value.includes(', ')) return value;
  throw invalidDpopProof('the gateway names the request twice');
}
