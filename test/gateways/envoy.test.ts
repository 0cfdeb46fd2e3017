import { expectSafeGateway } from './expectations.ts';
import { envoy } from './programs.ts';

expectSafeGateway('Envoy with ext_authz', () => [
  envoy(),
  ...['-c', 'envoy.yaml', '--disable-hot-restart', '--concurrency', '1', '-l', 'error'],
]);
