import { openApiRoute } from '../src/api/http/openapi.ts';
import type { Route } from '../src/api/http/route.ts';
import { docsRoutes } from '../src/api/pages/docs-page.ts';
import { mailLinkRoutes } from '../src/api/pages/mail-link-page.ts';
import { mailboxRoutes } from '../src/api/pages/mailbox-page.ts';
import { allRoutes } from '../src/api/routes/all.ts';
import { metricsRoute } from '../src/api/routes/metrics.ts';

/** Stands for everything that a declaration touches: no handler runs here. */
const anything: unknown = new Proxy(() => {}, { get: () => anything, apply: () => anything });

/** Every route that a node may serve, without a node, in the order of the documentation. */
export function declaredRoutes(): Route[] {
  return [
    ...allRoutes(
      anything as Parameters<typeof allRoutes>[0],
      anything as Parameters<typeof allRoutes>[1],
    ),
    metricsRoute(anything as Parameters<typeof metricsRoute>[0], 'a token of sixteen'),
    ...mailLinkRoutes(),
    ...mailboxRoutes(anything as Parameters<typeof mailboxRoutes>[0], 'http://localhost'),
    ...docsRoutes(),
    openApiRoute(() => [], { issuer: '', version: '', fieldDescriptions: {} }),
  ];
}
