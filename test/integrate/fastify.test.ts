import { expectSafeService } from './expectations.ts';
import { afterSeconds, nodeService, untilTheEnd } from './node-service.ts';

expectSafeService('Fastify with public keys', nodeService('fastify', 'public-keys'), untilTheEnd);
expectSafeService(
  'Fastify with introspection',
  nodeService('fastify', 'introspection'),
  afterSeconds,
);
