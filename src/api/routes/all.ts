import type { Node } from '../../node/node.ts';
import type { ReadinessProbe } from '../../node/readiness.ts';
import type { Route } from '../http/route.ts';
import { clientRoutes } from './client.ts';
import { dbscRoutes } from './dbsc.ts';
import { discoveryRoutes } from './discovery.ts';
import { emailRoutes } from './email.ts';
import { exampleRoutes } from './example.ts';
import { healthRoutes } from './health.ts';
import { inviteRoutes } from './invite.ts';
import { jwksRoutes } from './jwks.ts';
import { keysetRoutes } from './keyset.ts';
import { loginRoutes } from './login.ts';
import { meRoutes } from './me.ts';
import { oauthRoutes } from './oauth.ts';
import { passwordRoutes } from './password.ts';
import { registerRoutes } from './register.ts';
import { roleRoutes } from './role.ts';
import { sessionRoutes } from './session.ts';
import { sessionKeyRoutes } from './session-key.ts';
import { stepUpRoutes } from './step-up.ts';
import { tokenRoutes } from './token.ts';
import { totpRoutes } from './totp.ts';
import { userRoutes } from './user.ts';
import { verifyRoutes } from './verify.ts';

/**
 * Every declared route, in the order of the documentation. A literal path stands before its `{id}`
 * sibling.
 */
export function allRoutes(node: Node, probe: ReadinessProbe): Route[] {
  return [
    ...registerRoutes(node),
    ...loginRoutes(node),
    ...sessionRoutes(node),
    ...dbscRoutes(node),
    ...meRoutes(node),
    ...passwordRoutes(node),
    ...emailRoutes(node),
    ...totpRoutes(node),
    ...stepUpRoutes(node),
    ...verifyRoutes(node),
    ...discoveryRoutes(node),
    ...tokenRoutes(node),
    ...oauthRoutes(node),
    ...jwksRoutes(node),
    ...sessionKeyRoutes(node),
    ...exampleRoutes(),
    ...userRoutes(node),
    ...roleRoutes(node),
    ...inviteRoutes(node),
    ...clientRoutes(node),
    ...keysetRoutes(node),
    ...healthRoutes(probe),
  ];
}
