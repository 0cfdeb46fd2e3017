import type { ReadinessProbe } from '../readiness.ts';
import type { Route } from '../route.ts';
import type { Services } from '../services.ts';
import { healthRoutes } from './health.ts';
import { loginRoutes } from './login.ts';
import { registerRoutes } from './register.ts';
import { sessionRoutes } from './session.ts';

/** Every declared route, in the order of the documentation. A literal path stands before its `{id}` sibling. */
export function allRoutes(services: Services, probe: ReadinessProbe): Route[] {
  return [
    ...registerRoutes(services),
    ...loginRoutes(services),
    ...sessionRoutes(services),
    ...healthRoutes(probe),
  ];
}
