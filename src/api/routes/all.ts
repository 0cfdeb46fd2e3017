import type { ReadinessProbe } from '../../node/readiness.ts';
import type { Services } from '../../node/services.ts';
import type { Route } from '../http/route.ts';
import { budgeted } from './budgeted-route.ts';
import { clientRoutes } from './client.ts';
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
import { userRoutes } from './user.ts';
import { verifyRoutes } from './verify.ts';

/**
 * Every declared route, in the order of the documentation. A literal path stands before its `{id}`
 * sibling.
 */
export function allRoutes(services: Services, probe: ReadinessProbe): Route[] {
  const routes = [
    ...registerRoutes(services),
    ...loginRoutes(services),
    ...sessionRoutes(services),
    ...meRoutes(services),
    ...passwordRoutes(services),
    ...verifyRoutes(),
    ...oauthRoutes(services),
    ...jwksRoutes(services),
    ...exampleRoutes(),
    ...userRoutes(services),
    ...roleRoutes(services),
    ...inviteRoutes(services),
    ...clientRoutes(services),
    ...keysetRoutes(services),
    ...healthRoutes(probe),
  ];
  return routes.map((route) => budgeted(services.rateLimits, route));
}
