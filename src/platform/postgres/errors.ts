import { LatchkeyError } from '../../domain/kernel/errors.ts';

const unavailableStates = new Set([
  '25006', // read_only_sql_transaction: a failover left us on a standby
  '28000', // invalid_authorization_specification
  '28P01', // invalid_password: it was changed, and this process has the old one
  '3D000', // invalid_catalog_name: the database is gone
  '53100', // disk_full
  '53200', // out_of_memory
  '53300', // too_many_connections
  '53400', // configuration_limit_exceeded
  '57014', // query_canceled: statement_timeout
  '57P01', // admin_shutdown
  '57P02', // crash_shutdown
  '57P03', // cannot_connect_now
  '57P04', // database_dropped
  '57P05', // idle_session_timeout
]);

const socketErrors = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ERR_STREAM_DESTROYED',
  'ERR_STREAM_WRITE_AFTER_END',
]);

// What pg says, without a code, when a connection ends under a query or does not come about in
// time.
const connectionMessages = [
  'Connection terminated',
  'timeout exceeded when trying to connect',
  'timeout expired',
  'Client was closed',
  'Client has encountered a connection error',
  'Query read timeout',
  'Cannot use a pool after',
];

/** The SQLSTATE of a Postgres error, also when it stands behind a LatchkeyError. */
export function sqlState(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code } = error as { code?: unknown };
  if (typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code)) return code;
  return sqlState(error.cause);
}

/**
 * Whether the server could not be reached, went away or lacks what it needs: what was in flight may
 * or may not have happened, and may succeed later. The one place that decides it. An error that
 * stands behind another decides for it.
 */
export function isConnectionError(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (isConnectionError(error.cause)) return true;
  if (endedItsSession(error)) return true;
  const { code, syscall } = error as { code?: unknown; syscall?: unknown };
  if (syscall === 'connect' || syscall === 'getaddrinfo') return true;
  if (typeof code === 'string') {
    if (code.startsWith('08') || unavailableStates.has(code) || socketErrors.has(code)) return true;
  }
  if (error instanceof AggregateError) return error.errors.some(isConnectionError);
  return connectionMessages.some((start) => error.message.startsWith(start));
}

/**
 * The server closes the session with such an error, under any code. A disk that fails under a
 * commit ends the server, which may find the commit when it starts again.
 */
function endedItsSession(error: Error): boolean {
  const { severity } = error as { severity?: unknown };
  return severity === 'FATAL' || severity === 'PANIC';
}

const turnedAway = new Set(['ECONNREFUSED', 'ENOTFOUND', '28000', '28P01', '3D000']);

/**
 * Whether the server is not there, or refuses us: time alone does not change that. Anything else
 * that makes it unavailable may pass: silence, a recovery, a statement that is cut.
 */
export function isTurnedAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = String((error as { code?: unknown }).code);
  if (turnedAway.has(code)) return true;
  if (endedItsSession(error) && !unavailableStates.has(code) && !code.startsWith('08')) return true;
  if (error instanceof AggregateError && error.errors.some(isTurnedAway)) return true;
  return isTurnedAway(error.cause);
}

/**
 * Turns a connection error into `unavailable` with the original as its cause; any other error stays
 * as it is.
 */
export function toUnavailable(error: unknown): unknown {
  if (error instanceof LatchkeyError || !isConnectionError(error)) return error;
  return new LatchkeyError('unavailable', {
    detail: `postgres: ${(error as Error).message || (error as { code?: string }).code}`,
    cause: error,
    retryAfterSeconds: 1,
  });
}
