import { expectSafeGateway } from './expectations.ts';
import { packaged } from './programs.ts';

expectSafeGateway('HAProxy with latchkey.lua', () => [
  packaged('haproxy', '-v'),
  ...['-db', '-f', 'haproxy.cfg'],
]);
