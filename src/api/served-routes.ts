import { readFileSync } from 'node:fs';
import type { Registry } from 'prom-client';
import type { Node } from '../node/node.ts';
import type { ReadinessProbe } from '../node/readiness.ts';
import type { DevelopmentMailbox } from '../platform/mail/mailbox.ts';
import { openApiRoute } from './http/openapi.ts';
import type { Route } from './http/route.ts';
import { docsRoutes } from './pages/docs-page.ts';
import { mailLinkRoutes } from './pages/mail-link-page.ts';
import { mailboxRoutes } from './pages/mailbox-page.ts';
import { allRoutes } from './routes/all.ts';
import { documentWords } from './routes/document-words.ts';
import { metricsRoute } from './routes/metrics.ts';

/**
 * The API itself, its pages and, where a token guards them, its metrics. A mailbox is for dev only.
 */
export function servedRoutes(
  node: Node,
  probe: ReadinessProbe,
  { registry, mailbox }: { registry: Registry; mailbox: DevelopmentMailbox | undefined },
): Route[] {
  const { config } = node;
  const info = { issuer: config.tokens.issuer, version: packageVersion(), ...documentWords };
  const routes: Route[] = [
    ...allRoutes(node, probe),
    ...(config.metrics.token === undefined ? [] : [metricsRoute(registry, config.metrics.token)]),
    ...(config.mail.enabled ? mailLinkRoutes() : []),
    ...(mailbox === undefined || config.environment.name !== 'dev'
      ? []
      : mailboxRoutes(mailbox, config.tokens.issuer)),
    ...docsRoutes(),
    openApiRoute(() => routes, info),
  ];
  return routes;
}

function packageVersion(): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}
