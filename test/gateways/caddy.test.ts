import { expectSafeGateway } from './expectations.ts';
import { builtCaddy, caddyHere, packaged } from './programs.ts';

const demanding = ['/admin/x', '/admin', '/editor/x'];

expectSafeGateway(
  'Caddy 2.6 of Debian',
  () => caddyHere(packaged('/usr/bin/caddy', 'version')),
  demanding,
);
for (const version of ['v2.10.2', 'v2.11.4']) {
  expectSafeGateway(`Caddy ${version}`, () => caddyHere(builtCaddy(version)), demanding);
}
