import { expectSafeGateway } from './expectations.ts';
import { builtCaddy, packaged } from './programs.ts';

const run = (program: () => string) => () => [
  program(),
  ...['run', '--config', 'Caddyfile', '--adapter', 'caddyfile'],
];
const demanding = ['/admin/x', '/admin', '/editor/x'];

expectSafeGateway(
  'Caddy 2.6 of Debian',
  run(() => packaged('/usr/bin/caddy', 'version')),
  demanding,
);
for (const version of ['v2.10.2', 'v2.11.4']) {
  expectSafeGateway(
    `Caddy ${version}`,
    run(() => builtCaddy(version)),
    demanding,
  );
}
