import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AccessTokenClaims } from '@latchkey/contract/access-token-claims';
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
  return gatewayCheck(node, ({ url = '' }, credentials) => queryDemands(url, credentials));
}

/** The same where path and query are the client's (`/auth/forward`): the demands are in a header. */
export function verifyForwarded(node: Asked): FastAnswerFactory {
  return gatewayCheck(node, (_, credentials) => forwardDemands(credentials));
}

function gatewayCheck(
  node: Asked,
  demandsOf: (request: IncomingMessage, credentials: GatewayCredentials) => Demands,
): FastAnswerFactory {
  const { memory, metrics, sessionKeys } = node;
  const { verifications } = metrics;
  const originalRequest = originalRequestReader(node.config);
  const verify = ({ token, isBound, demands }: Asking) =>
    isBound
      ? memory.verifyFor(token, serviceUse(demands.aud), 'caller_checks')
      : memory.verify(token, demands.aud);
  const accept = (
    request: IncomingMessage,
    response: ServerResponse,
    verification: UseVerification,
    { token, isBound, demands }: Asking,
  ) => {
    const bound = isBound
      ? proveKeyOf(node.proofs, verification, { token, request: originalRequest(request) })
      : null;
    const claims = bound === null ? acceptedClaims(verification) : bound.claims;
    requireDemands(memory, claims, demands);
    let headers = identityHeaders(claims);
    const nextNonce = bound?.key.nextNonce;
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
      asking: Asking,
    ) => {
      lane.inFlight.add(response);
      response.once('close', () => lane.inFlight.delete(response));
      try {
        await keyFound;
        accept(request, response, verify(asking), asking);
      } catch (thrown) {
        sendRefusal(request, response, thrown, lane, verifications);
      }
    };
    return (request, response) => {
      // A gateway may forward a body: nobody reads it, and the answer ends it.
      try {
        const credentials = gatewayCredentials(request);
        const demands = demandsOf(request, credentials);
        const asking = { ...tokenOf(request, credentials), demands };
        const verification = verify(asking);
        const keyFound = sessionKeys.lookup.awaitedBy(verification);
        if (keyFound === null) accept(request, response, verification, asking);
        else void acceptLater(request, response, keyFound, asking);
      } catch (thrown) {
        sendRefusal(request, response, thrown, lane, verifications);
      }
      return true;
    };
  };
}

interface Asking {
  readonly token: string;
  /** Whether it came under the scheme `DPoP`. */
  readonly isBound: boolean;
  readonly demands: Demands;
}

function tokenOf(request: IncomingMessage, { token }: GatewayCredentials) {
  if (token !== null) return { token, isBound: false };
  const presented = presentedToken(request);
  if (presented === null) throw new LatchkeyError('invalid_token', { detail: 'no access token' });
  return { token: presented.text, isBound: presented.scheme === 'DPoP' };
}

/** What a gateway sends in headers, as nearly every request has it. */
interface GatewayCredentials {
  /** Null unless the request has one plain `Bearer` header: `presentedToken` then reads it. */
  token: string | null;
  demand: string | null;
}

const scheme = 'Bearer ';

/**
 * One pass over the headers for both; they have names of one length. The characters of a token are
 * not looked at: the verifier accepts a token in its one spelling only.
 */
function gatewayCredentials({ rawHeaders }: IncomingMessage): GatewayCredentials {
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
  return { token: plain ? token : null, demand };
}

function forwardDemands({ demand }: GatewayCredentials): Demands {
  return demand === null ? noDemands : demandsOfHeader(demand);
}

/** A gateway that sends its demands to the wrong address must not find its doors open. */
function queryDemands(url: string, { demand }: GatewayCredentials): Demands {
  if (demand !== null) throw invalidField('X-Auth-Demand', 'is read at /auth/forward only');
  const mark = url.indexOf('?');
  return mark === -1 ? noDemands : demandsOfQuery(url.slice(mark + 1));
}

function requireDemands(
  memory: Pick<NodeMemory, 'lacksNewRoles'>,
  claims: AccessTokenClaims,
  { role, scope }: Demands,
): void {
  if (role !== undefined && !(claims.roles ?? []).includes(role)) {
    throw missingRight('role', { lacksNewRoles: memory.lacksNewRoles(claims) });
  }
  if (scope !== undefined && !includesScopes(claims.scope ?? '', scope)) {
    throw missingRight('scope', { lacksNewRoles: memory.lacksNewRoles(claims) });
  }
}

function includesScopes(granted: string, wanted: string): boolean {
  const has = new Set(granted.split(' '));
  return wanted.split(' ').every((scope) => has.has(scope));
}
