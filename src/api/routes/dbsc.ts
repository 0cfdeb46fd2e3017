import {
  type FreshBinding,
  sessionIdentifier,
  sessionOfIdentifier,
} from '../../app/session/bound-session.ts';
import { registerDeviceKey } from '../../app/session/register-device-key.ts';
import { renewBoundCookie } from '../../app/session/renew-bound-cookie.ts';
import { invalidField, LatchkeyError } from '../../domain/kernel/errors.ts';
import { decodeRefreshToken } from '../../domain/session/refresh-token.ts';
import type { Node } from '../../node/node.ts';
import { none } from '../http/auth.ts';
import {
  boundCookieName,
  cookieAttributes,
  refreshCookie,
  setBoundCookie,
} from '../http/cookies.ts';
import { challengeHeader, proofHeader, sessionIdentifierHeader } from '../http/dbsc-headers.ts';
import { guardOrigin, originPolicy } from '../http/origin-rule.ts';
import { errorAnswer } from '../http/problem.ts';
import { type Reply, reply } from '../http/reply.ts';
import { type Route, route } from '../http/route.ts';
import { sessionInstructionsSchema } from './schemas.ts';

const tags = ['Device-bound sessions'];

export function dbscRoutes(node: Node): Route[] {
  return [register(node), refresh(node)];
}

function register(node: Node): Route {
  return route({
    method: 'post',
    path: '/auth/dbsc/register',
    summary: 'Bind a session to a key of its browser',
    description:
      'A browser with device-bound session credentials (W3C DBSC) calls this by itself after a ' +
      'login in cookie mode. No page has to.',
    tags,
    auth: none,
    credential: 'refresh cookie and signed proof in `Secure-Session-Response`',
    refreshCookie: true,
    spends: ['device_proof'],
    responses: {
      200: { description: 'The session instructions', schema: sessionInstructionsSchema },
    },
    errors: [
      'invalid_token',
      'invalid_device_proof',
      'conflict',
      'session_ended',
      'origin_refused',
    ],
    guard: ({ headers }) => guardOrigin(headers, originPolicy(node.config)),
    handler: async ({ headers, context }) => {
      await payProof(node, context.address);
      const sessionId = heldSession(node, headers.cookie);
      const proof = proofHeader(headers);
      const binding = await registerDeviceKey(node, { sessionId, proof }, context);
      return bindingReply(node, binding);
    },
  });
}

function refresh(node: Node): Route {
  return route({
    method: 'post',
    path: '/auth/dbsc/refresh',
    summary: 'Prove the key of a session again',
    description:
      'A browser calls this by itself when the bound cookie of a session is missing or about to ' +
      'expire. Without a proof of a recent challenge the answer is a 403 with the challenge. ' +
      '`{"continue": false}` tells the browser that it has no session to prove any more.',
    tags,
    auth: none,
    credential: 'refresh cookie and signed proof in `Secure-Session-Response`',
    refreshCookie: true,
    spends: ['device_proof'],
    responses: {
      200: {
        description: 'The session instructions, or `continue` false',
        schema: sessionInstructionsSchema,
      },
    },
    errors: ['device_proof_required', 'invalid_device_proof', 'origin_refused'],
    guard: ({ headers }) => guardOrigin(headers, originPolicy(node.config)),
    handler: async ({ headers, context }) => {
      await payProof(node, context.address);
      const identifier = sessionIdentifierHeader(headers);
      if (identifier === null) throw invalidField('sec-secure-session-id', 'is required');
      const heldSessionId = heldSession(node, headers.cookie);
      const renewal = await renewBoundCookie(node, {
        sessionId: sessionOfIdentifier(identifier),
        heldSessionId,
        proof: proofHeader(headers),
      });
      switch (renewal.outcome) {
        case 'renewed':
          return bindingReply(node, renewal.binding);
        case 'ended':
          return reply(200, { continue: false }, cookieOf(renewal.binding));
        case 'challenged':
          return challengeReply(renewal, { requestId: context.requestId, headers });
      }
    },
  });
}

/** The 403 that makes the browser sign: Chromium sends the proof at once. */
function challengeReply(
  { sessionId, challenge }: { readonly sessionId: string; readonly challenge: string },
  request: Parameters<typeof errorAnswer>[2],
): Reply {
  const required = new LatchkeyError('device_proof_required');
  const { status, body, headers } = errorAnswer('problem', required, request);
  const challenged = challengeHeader(challenge, sessionIdentifier(sessionId));
  return reply(status, body, { ...headers, ...challenged });
}

function bindingReply(node: Node, binding: FreshBinding): Reply {
  return reply(200, instructions(node, binding.sessionId), {
    ...cookieOf(binding),
    ...challengeHeader(binding.challenge, sessionIdentifier(binding.sessionId)),
  });
}

function cookieOf(binding: FreshBinding | null): Record<string, string> {
  if (binding === null) return {};
  return { 'set-cookie': setBoundCookie(binding.boundCookie, binding.boundCookieSeconds) };
}

/**
 * Takes one from the budget of proofs. A refusal is a 503: to Chromium every 4xx but 403 is final, and
 * it would drop the key of a session that lives.
 */
async function payProof({ rateLimits }: Node, address: string): Promise<void> {
  try {
    await rateLimits.take('device_proof', { address });
  } catch (error) {
    if (!(error instanceof LatchkeyError) || error.code !== 'rate_limited') throw error;
    const { retryAfterSeconds } = error;
    throw new LatchkeyError('unavailable', {
      cause: error,
      detail: 'too many proofs from one address',
      ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
    });
  }
}

/** Whose refresh cookie the browser holds: whatever its generation, and whether it lives or not. */
function heldSession({ secrets }: Node, cookies: string | undefined): string | null {
  const token = refreshCookie(cookies);
  const parts = token === null ? null : decodeRefreshToken(token, secrets.refreshMacKeys);
  return parts?.sessionId ?? null;
}

/**
 * What the browser has to do: to have the bound cookie when one of our pages refreshes, and at no
 * other request, so that it delays nothing else. The rules read the same from either end, for
 * the draft of 2025 takes the first rule that fits, and Chromium the last.
 */
function instructions({ config }: Node, sessionId: string) {
  const { hostname: domain, pathname } = new URL(config.tokens.issuer);
  const base = pathname.replace(/\/$/, '');
  const refreshes = ['/auth/refresh', '/api/auth/refresh'].map((path) => ({
    type: 'include' as const,
    domain,
    path: base + path,
  }));
  const everything = { type: 'exclude' as const, domain, path: '/' };
  const hosts = config.browser.allowedOrigins.map((origin) => new URL(origin).hostname);
  return {
    session_identifier: sessionIdentifier(sessionId),
    refresh_url: 'refresh',
    scope: {
      include_site: false,
      scope_specification: [...refreshes, everything, ...refreshes.toReversed()],
    },
    credentials: [{ type: 'cookie' as const, name: boundCookieName, attributes: cookieAttributes }],
    allowed_refresh_initiators: [...new Set(hosts)].filter((host) => host !== domain),
  };
}
