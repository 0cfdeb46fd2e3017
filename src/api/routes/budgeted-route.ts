import { budgets } from '../../domain/kernel/budgets.ts';
import type { RateLimits } from '../../node/rate-limits.ts';
import type { Caller } from '../http/request-context.ts';
import type { Route } from '../http/route.ts';

/**
 * The route as it is mounted: its caller pays first, from each budget in `spends` that is counted
 * per user alone. The other budgets are the handler's, which knows the address, name or session.
 */
export function budgeted(rateLimits: RateLimits, route: Route): Route {
  if (route.auth !== 'bearer' && route.auth !== 'admin') return route;
  const own = (route.spends ?? []).filter((budget) => {
    const rules = budgets[budget];
    return rules.length > 0 && rules.every(({ per }) => per === 'user');
  });
  if (own.length === 0) return route;
  return {
    ...route,
    errors: [...new Set([...(route.errors ?? []), 'rate_limited' as const])],
    handler: (request) => {
      const { userId } = request.caller as unknown as Caller;
      for (const budget of own) rateLimits.take(budget, { userId });
      return route.handler(request);
    },
  };
}
