import type { IncomingMessage, ServerResponse } from 'node:http';
import { newId } from '../../platform/crypto/new-id.ts';
import type { FastLane } from '../http/fast-answer.ts';
import { toLatchkeyError } from '../http/problem.ts';
import { sendError } from '../http/reply.ts';
import { callerRequestId } from '../http/request-context.ts';

/** Counts by result; read when somebody scrapes. */
type Verifications = Record<string, number>;

/** Answers, counts and logs what a lane has thrown. */
export function sendRefusal(
  request: IncomingMessage,
  response: ServerResponse,
  thrown: unknown,
  { log, refusals, failsAs }: FastLane,
  verifications: Verifications,
): void {
  const error = toLatchkeyError(thrown);
  const requestId = newId();
  verifications[error.code] = (verifications[error.code] ?? 0) + 1;
  const sampled = refusals.admit(error.code);
  if (sampled !== null) {
    const ids = { request_id: requestId, ...callerRequestId(request) };
    const facts = { ...ids, code: error.code, detail: error.detail, ...sampled };
    if (error.code === 'internal_error') log.error({ ...facts, err: error.cause }, 'failed');
    else log.info(facts, 'verify refused');
  }
  response.setHeader('X-Request-Id', requestId);
  sendError(response, error, { failsAs, requestId, headers: request.headers });
}
