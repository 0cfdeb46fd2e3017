import type { Behaviour } from './expectations.ts';
import { filesOf } from './page.ts';
import { type Service, startService } from './service.ts';
import type { World } from './world.ts';

type Verification = 'public-keys' | 'introspection';

/** The service of a page, with the file of `node.md` that the reader has chosen. */
export function nodeService(
  page: 'express' | 'fastify',
  verification: Verification,
): (world: World) => Promise<Service> {
  const server = filesOf(page)['server.js']!.replace(
    /from '\.\/(public-keys|introspection)\.js'/,
    `from './${verification}.js'`,
  );
  const file = `${verification}.js`;
  const files = { 'server.js': server, [file]: filesOf('node')[file]! };
  return ({ env }) => startService({ page, files, env });
}

/** What `node.md` says of `public-keys.js`. */
export const untilTheEnd: Behaviour = {
  logout: { when: 'at its end', leewaySeconds: 5 },
  outage: { known: [200], unknown: [200] },
};

/** What `node.md` says of `introspection.js`; a verdict may be kept when the outage begins. */
export const afterSeconds: Behaviour = {
  logout: { when: 'in seconds', seconds: 5 },
  outage: { known: [200, 503], unknown: [503] },
};
