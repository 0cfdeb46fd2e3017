import { registrationChallenge } from '../../app/session/bound-session.ts';
import { dbscAlgorithms } from '../../app/session/dbsc-proof.ts';
import type { IssuedTokens } from '../../app/session/token-set.ts';
import type { Node } from '../../node/node.ts';
import { isLoopback } from '../../platform/address.ts';
import { registrationHeader } from '../http/dbsc-headers.ts';
import type { Reply } from '../http/reply.ts';

/**
 * Adds to the answer of a login in cookie mode the offer to bind the session to a key of the
 * browser, which knows what to do with it or ignores it (W3C DBSC). A session has one key: none is
 * offered beside that of a DPoP proof.
 */
export function withBindingOffer(node: Node, issued: IssuedTokens, answer: Reply): Reply {
  const isUnbound = issued.body.token_type === 'Bearer';
  if (issued.transport !== 'cookie' || issued.refreshToken === null) return answer;
  if (!isUnbound || !mayBind(node)) return answer;
  const offer = registrationHeader({
    algorithms: dbscAlgorithms,
    path: 'dbsc/register',
    challenge: registrationChallenge(node, issued.body.session.id),
  });
  return { ...answer, headers: { ...answer.headers, ...offer } };
}

/** Browsers bind sessions of secure origins only. */
function mayBind({ config }: Node): boolean {
  const { protocol, hostname } = new URL(config.tokens.issuer);
  const isSecure = protocol === 'https:' || isLoopback(hostname);
  return config.browser.deviceBoundSessions && isSecure;
}
