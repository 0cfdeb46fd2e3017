import type { RequestListener } from 'node:http';
import type { Node } from '../../node/node.ts';
import type { Logger } from '../../platform/logging/logging.ts';
import type { InFlight } from '../http/in-flight.ts';
import { createFastLane } from './fast-lane.ts';
import { createJwksLane } from './jwks-lane.ts';

/** What is answered from memory comes before `app`. */
export function behindFastLanes(
  app: RequestListener,
  { memory, metrics, config }: Node,
  { log, inFlight }: { readonly log: Logger; readonly inFlight: InFlight },
): RequestListener {
  const fastLane = createFastLane({
    memory,
    verifications: metrics.sources.verifications,
    log,
    inFlight,
  });
  const jwksLane = createJwksLane({
    memory,
    maxAgeSeconds: config.jwksMaxAgeSeconds,
    observe: metrics.observeRequest,
  });
  return (request, response) => {
    if (fastLane(request, response) || jwksLane(request, response)) return;
    app(request, response);
  };
}
