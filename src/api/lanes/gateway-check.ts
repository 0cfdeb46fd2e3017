import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AccessTokenClaims } from '@latchkey/contract/access-token-claims';
import { requireAuthentication } from '../../domain/kernel/authentication-demand.ts';
import { invalidField, LatchkeyError } from '../../domain/kernel/errors.ts';
import { acceptedClaims } from '../../node/accepted-claims.ts';
import { proveKeyOf } from '../../node/bound-token.ts';
import type { Node } from '../../node/node.ts';
import { type NodeMemory, serviceUse, type UseVerification } from '../../node/node-memory.ts';
import type { FastAnswerFactory } from '../http/fast-answer.ts';
import { missingRight } from '../http/missing-right.ts';
import { presentedToken } from '../http/presented-token.ts';
import { endAnswer } from '../http/reply.ts';
import { bodyIsOnItsWay } from '../http/request-body.ts';
import { type Demands, demandsOfHeader, demandsOfQuery, noDemands } from './gateway-demands.ts';
import { identityHeaders } from './identity-headers.ts';
import { originalRequestReader } from './original-request.ts';
import { sendRefusal } from './refused.ts';

type Asked = Pick<Node, 'memory' | 'sessionKeys' | 'metrics' | 'proofs' | 'config'>;

/**
 * Forward-auth by demands in the query (`/auth/verify`), any method, from memory: without a
 * statement and without a log line when the token is good. Only the first token of a session that
 * has a key of its own waits for that key.
 */
export function verifyForGateways(node: Asked): FastAnswerFactory {
  return gatewayCheck(node, ({ url = '' }, presented) => queryDemands(url, presented));
}

/** The same where path and query are the client's (`/auth/forward`): the demands are in a header. */
export function verifyForwarded(node: Asked): FastAnswerFactory {
  return gatewayCheck(node, (_, presented) => forwardDemands(presented));
}

function gatewayCheck(
  node: Asked,
  demandsOf: (request: IncomingMessage, presented: Presented) => Demands,
): FastAnswerFactory {
  const { memory, metrics, sessionKeys } = node;
  const { verifications } = metrics;
  const originalRequest = originalRequestReader(node.config);
  const verify = ({ token, isBound }: Presented, { aud }: Demands) =>
    memory.verifyFor(token, serviceUse(aud), isBound ? 'caller_checks' : undefined);
  const accept = (
    request: IncomingMessage,
    response: ServerResponse,
    verification: UseVerification,
    { token, isBound }: Presented,
    demands: Demands,
  ) => {
    let nextNonce: string | undefined;
    let claims: AccessTokenClaims;
    if (isBound) {
      const original = originalRequest(request);
      const bound = proveKeyOf(node.proofs, verification, { token, request: original });
      claims = bound.claims;
      nextNonce = bound.key.nextNonce;
    } else claims = acceptedClaims(verification);
    requireDemands(memory, claims, demands);
    let headers = identityHeaders(claims);
    if (nextNonce !== undefined) headers = [...headers, 'DPoP-Nonce', nextNonce];
    verifications.accepted = (verifications.accepted ?? 0) + 1;
    if (bodyIsOnItsWay(request)) response.shouldKeepAlive = false;
    if (demands.status === undefined) response.writeHead(204, headers);
    else response.writeHead(200, [...headers, 'Content-Length', '0']);
    endAnswer(response);
  };
  return (lane) => {
    const acceptLater = async (
      request: IncomingMessage,
      response: ServerResponse,
      keyFound: Promise<void>,
      presented: Presented,
      demands: Demands,
    ) => {
      lane.inFlight.add(response);
      response.once('close', () => lane.inFlight.delete(response));
      try {
        await keyFound;
        accept(request, response, verify(presented, demands), presented, demands);
      } catch (thrown) {
        sendRefusal(request, response, thrown, lane, verifications);
      }
    };
    return (request, response) => {
      // A gateway may forward a body: nobody reads it, and the answer ends it.
      try {
        const presented = presentedBy(request);
        const demands = demandsOf(request, presented);
        readOtherSpelling(request, presented);
        const verification = verify(presented, demands);
        const keyFound = sessionKeys.lookup.awaitedBy(verification);
        if (keyFound === null) accept(request, response, verification, presented, demands);
        else void acceptLater(request, response, keyFound, presented, demands);
      } catch (thrown) {
        sendRefusal(request, response, thrown, lane, verifications);
      }
      return true;
    };
  };
}

/** What a gateway sends in headers. One object for each request: every check makes it. */
interface Presented {
  /** Empty unless the request has one plain `Bearer` header, as nearly every one has. */
  token: string;
  /** Whether it came under the scheme `DPoP`. */
  isBound: boolean;
  demand: string | null;
}

function readOtherSpelling(request: IncomingMessage, presented: Presented): void {
  if (presented.token !== '') return;
  const read = presentedToken(request);
  if (read === null) throw new LatchkeyError('invalid_token', { detail: 'no access token' });
  presented.token = read.text;
  presented.isBound = read.scheme === 'DPoP';
}

const scheme = 'Bearer ';

/**
 * One pass over the headers for both; they have names of one length. The characters of a token are
 * not looked at: the verifier accepts a token in its one spelling only.
 */
function presentedBy({ rawHeaders }: IncomingMessage): Presented {
  let token: string | null = null;
  let demand: string | null = null;
  let plain = true;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const written = rawHeaders[at]!;
    if (written.length !== 13) continue;
    const name = written.toLowerCase();
    const value = rawHeaders[at + 1]!;
    if (name === 'authorization') {
      plain &&= token === null && value.startsWith(scheme) && value[scheme.length] !== ' ';
      token = value.slice(scheme.length);
    } else if (name === 'x-auth-demand') {
      if (demand !== null) throw invalidField('X-Auth-Demand', 'given more than once');
      demand = value;
    }
  }
  return { token: (plain && token) || '', isBound: false, demand };
}

function forwardDemands({ demand }: Presented): Demands {
  return demand === null ? noDemands : demandsOfHeader(demand);
}

/** A gateway that sends its demands to the wrong address must not find its doors open. */
function queryDemands(url: string, { demand }: Presented): Demands {
  if (demand !== null) throw invalidField('X-Auth-Demand', 'is read at /auth/forward only');
  const mark = url.indexOf('?');
  return mark === -1 ? noDemands : demandsOfQuery(url.slice(mark + 1));
}

function requireDemands(
  memory: Pick<NodeMemory, 'lacksNewRoles'>,
  claims: AccessTokenClaims,
  { role, scope, acr, max_age }: Demands,
): void {
  if (role !== undefined && !(claims.roles ?? []).includes(role)) {
    throw missingRight('role', { lacksNewRoles: memory.lacksNewRoles(claims) });
  }
  if (scope !== undefined && !includesScopes(claims.scope ?? '', scope)) {
    throw missingRight('scope', { lacksNewRoles: memory.lacksNewRoles(claims) });
  }
  if (acr === undefined && max_age === undefined) return;
  const maxAgeSeconds = max_age === undefined ? undefined : Number(max_age);
  requireAuthentication(claims, { acr, maxAgeSeconds }, Date.now());
}

function includesScopes(granted: string, wanted: string): boolean {
  const has = new Set(granted.split(' '));
  return wanted.split(' ').every((scope) => has.has(scope));
}
