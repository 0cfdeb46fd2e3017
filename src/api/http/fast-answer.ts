import type { IncomingMessage, ServerResponse } from 'node:http';
import type { LogSampler } from '../../platform/logging/log-sampler.ts';
import type { Logger } from '../../platform/logging/logging.ts';
import type { InFlight } from './in-flight.ts';
import type { HttpMetrics } from './metrics.ts';
import type { FailureStyle } from './problem.ts';

/** What those that answer before Express share, and how their route fails. */
export interface FastLane {
  readonly log: Pick<Logger, 'info' | 'debug' | 'error'>;
  readonly inFlight: Pick<InFlight, 'add' | 'delete'>;
  readonly refusals: Pick<LogSampler, 'admit'>;
  readonly metrics: Pick<HttpMetrics, 'observeRequest'>;
  readonly failsAs: FailureStyle;
}

/** Answers, or returns false when the request is for the declared handler. */
export type FastAnswer = (request: IncomingMessage, response: ServerResponse) => boolean;

/** Called once for a lane; routes that name the same one share its answer. */
export type FastAnswerFactory = (lane: FastLane) => FastAnswer;
